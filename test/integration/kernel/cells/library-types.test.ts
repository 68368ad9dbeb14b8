import { dirname, resolve } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { CellProgram } from '../../../../kernel/src/jupyter/compile/cell-program.ts'
import { readCell } from '../../../../kernel/src/jupyter/compile/cell-text.ts'

const root = resolve(import.meta.dirname, '../../../..')
const library = resolve(root, 'kernel/dist/index.d.ts')
const cell = "import { connect, Plot, show } from '@community-lab/kernel'\nshow(connect().nodes)"

describe('the types of the library that cells import', () => {
  let paths: readonly string[]
  let forCells: string
  beforeAll(() => {
    const program = new CellProgram(
      resolve(root, 'notebooks'),
      resolve(root, 'kernel/dist/jupyter/main.js'),
    )
    program.place({ text: readCell(cell), number: 1, label: 'cell 1' })
    paths = program.program.getSourceFiles().map(({ fileName }) => fileName)
    forCells = paths.find((path) => path.startsWith(dirname(library))) ?? ''
  })

  it('are in one file, which loads no other types than those of Observable Plot', () => {
    const packages = paths.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(path)?.[1])
    expect(new Set(packages.filter((name) => name !== undefined))).toEqual(
      new Set(['typescript', '@types/node', 'undici-types', '@observablehq/plot']),
    )
    const own = paths.filter((path) => path.startsWith(root) && !path.includes('/node_modules/'))
    expect(own.filter((path) => !path.includes('/notebooks/$'))).toEqual([forCells])
  })

  it('have the same exports as the package, values and types', () => {
    const options = { module: ts.ModuleKind.NodeNext, types: ['node'], skipLibCheck: true }
    const program = ts.createProgram([library, forCells], options)
    const checker = program.getTypeChecker()
    const exportsOf = (path: string): string[] => {
      const file = program.getSourceFile(path)
      const symbol = file === undefined ? undefined : checker.getSymbolAtLocation(file)
      if (symbol === undefined) throw new Error(`${path} is no module`)
      return checker.getExportsOfModule(symbol).map((each) => {
        const isValue = (checker.getAliasedSymbol(each).flags & ts.SymbolFlags.Value) !== 0
        const type = checker.getTypeOfSymbol(each)
        return `${each.name} ${isValue ? 'value' : 'type'} ${checker.typeToString(type)}`
      })
    }
    expect(exportsOf(forCells).toSorted()).toEqual(exportsOf(library).toSorted())
  })

  it('refer only to what they declare or import', () => {
    const options = {
      module: ts.ModuleKind.Preserve,
      target: ts.ScriptTarget.ES2024,
      types: ['node'],
    }
    const program = ts.createProgram([forCells], options)
    const found = program.getSemanticDiagnostics(program.getSourceFile(forCells))
    expect(found.map(({ messageText }) => messageText)).toEqual([])
  })

  it('keep their documentation', () => {
    const text = ts.sys.readFile(forCells) ?? ''
    expect(text).toContain('Connect to a testbed.')
    expect(text).toContain('Close all connections. Slivers and runs go on.')
    // TypeScript does not attach a comment that follows another member on the same line.
    expect(text).toContain('\n  /** The results that are not ok. */\n')
    expect(text).not.toMatch(/; \/\*\*/u)
  })
})
