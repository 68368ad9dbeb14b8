import {
  array,
  assert,
  constantFrom,
  letrec,
  oneof,
  property,
  tuple,
  uniqueArray,
} from 'fast-check'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import {
  blankRanges,
  findRepeatedRows,
  restoreRanges,
} from '../../../../../kernel/src/jupyter/compile/repeated-rows.ts'

function parse(source: string): ts.SourceFile {
  return ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true)
}

function withoutRepeats(source: string, kept = -1): string {
  return blankRanges(source, findRepeatedRows(parse(source), kept))
}

/** As much of JavaScript's types as lists need. */
const globals = ts.createSourceFile(
  'globals.d.ts',
  'interface Array<T> { length: number; [n: number]: T }\n' +
    ['Boolean', 'Function', 'IArguments', 'Number', 'Object', 'RegExp', 'String']
      .map((name) => `interface ${name} {}`)
      .join('\n'),
  ts.ScriptTarget.Latest,
)

/** The types of the variables of a text, and its errors. */
function typesOf(source: string): readonly string[] {
  const file = parse(source)
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost({}),
    getSourceFile: (name) =>
      name === 'cell.ts' ? file : name === 'globals.d.ts' ? globals : undefined,
  }
  const options = { noLib: true, strict: true, target: ts.ScriptTarget.ES2024 }
  const program = ts.createProgram(['globals.d.ts', 'cell.ts'], options, host)
  const checker = program.getTypeChecker()
  const errors = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  const names = file.statements.flatMap((each) =>
    ts.isVariableStatement(each) ? each.declarationList.declarations.map(({ name }) => name) : [],
  )
  return [
    ...names.map((name) =>
      checker.typeToString(
        checker.getTypeAtLocation(name),
        undefined,
        ts.TypeFormatFlags.NoTruncation,
      ),
    ),
    ...errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  ]
}

const members = ['a', 'b', '"c d"', '1']

/** Texts of literals: few names and values, so that many have the same shape. */
const { literal } = letrec<{ literal: string }>((tie) => ({
  literal: oneof(
    { depthSize: 'small' },
    constantFrom('1', '-2', "'x'", '`y`', 'true', 'false', 'null', 'undefined', '3n'),
    array(tie('literal'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    uniqueArray(tuple(constantFrom(...members), tie('literal')), {
      maxLength: 3,
      selector: ([name]) => name,
    }).map((of) => `{ ${of.map(([name, value]) => `${name}: ${value}`).join(', ')} }`),
  ),
}))

describe('a table without the rows of a shape that it had before', () => {
  it('has the same type, and the other lines stay where they are', () => {
    assert(
      property(array(literal, { maxLength: 12 }), (rows) => {
        const source = `const rows = [\n${rows.join(',\n')}\n]\nlet data = { rows: [${rows.join()},], n: 1 }\nconst first = [${rows.join()}].length`
        const short = withoutRepeats(source)
        expect(typesOf(short)).toEqual(typesOf(source))
        expect(short.length).toBe(source.length)
        expect(short.replaceAll(/[^\n]/gu, '')).toBe(source.replaceAll(/[^\n]/gu, ''))
      }),
    )
  })

  it('is short', () => {
    expect(
      withoutRepeats('const rows = [{ a: 1 }, { a: 2 }, { a: 3, b: null }, { "a": 4 },]'),
    ).toBe('const rows = [{ a: 1 },           { a: 3, b: null },            ]')
  })

  it('keeps the row at the cursor', () => {
    expect(withoutRepeats('const rows = [1, 2, 3]', 18)).toBe('const rows = [1, 2,  ]')
  })

  it('can be made whole again', () => {
    const source = 'let x = [1, 2, 3]'
    const ranges = findRepeatedRows(parse(source), -1)
    expect(restoreRanges(blankRanges('var x = [1, 2, 3]', ranges), source, ranges)).toBe(
      'var x = [1, 2, 3]',
    )
  })
})

it.each([
  "const kinds = ['a', 'b'] as const",
  "const kinds: ('a' | 'b')[] = ['a', 'c']",
  "const kinds = ['a', 'b'] satisfies ('a' | 'b')[]",
  "const kinds = pick(['a', 'b'])",
  "const [first, second] = ['a', 'b']",
  'const rows = [{ a: 1, a: 2 }, { a: 1, a: 2 }]',
  'const rows = [{ __proto__: null }, { __proto__: null }]',
  'const rows = [other, other]',
  'const rows = [{ a() {} }, { a() {} }]',
  'const rows = [...[1], ...[2]]',
  'const rows = [, ,]',
])('%s stays whole, because its type or its errors depend on more than shapes', (source) => {
  expect(withoutRepeats(source)).toBe(source)
})
