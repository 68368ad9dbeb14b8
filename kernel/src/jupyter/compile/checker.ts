import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { identifiersOf, readCell, type CellText } from './cell-text.ts'
import { CellProgram } from './cell-program.ts'
import type {
  CellPlace,
  CellSource,
  Compilation,
  CompiledCell,
  CompilerMethods,
  Completeness,
  Completion,
} from './compilation.ts'
import { emitCell } from './emit.ts'
import { emitFile } from './emit-file.ts'
import { SyntaxProblem } from './transpile.ts'
import type { Origin } from './names.ts'
import { dropTypes } from './type-exports.ts'
import { completeAt, inspectAt, isComplete } from './help.ts'
import { adviceForLine } from './foreign-words.ts'
import { findJsx } from './jsx.ts'
import { adviceForQuestion } from './middle-question.ts'
import { adviceForObject, findUnmeantBlock } from './unmeant-blocks.ts'
import { findDroppedPromises } from './dropped-promises.ts'
import { findMisfits } from './misfits.ts'

/** A cell that was compiled and has not ended. */
interface Pending {
  readonly slot: number
  readonly reached: ReadonlyMap<string, number>
  readonly types: ReadonlySet<string>
  readonly unions: ReadonlySet<string>
  /** The slots of the earlier cells whose globals the cell replaces. */
  readonly replaced: readonly number[]
  /** The stamps of the files that are sent with the cell. */
  readonly stamps: ReadonlyMap<string, string>
}

const noJsx =
  'Cells are TypeScript without JSX. Write it in a file that ends in .tsx beside the notebook, and import that.'

/** Checks cells against earlier cells, and compiles them to JavaScript. */
export class Checker implements CompilerMethods {
  readonly #program: CellProgram
  /** Compiled cells that have not ended, by the number of their request. */
  readonly #pending = new Map<number, Pending>()
  /** The stamps of the notebook's own files that the process that runs cells has. */
  readonly #sent = new Map<string, string>()
  /** For the request of each misfit (see {@link findMisfits}): the sentences that the user was told. */
  readonly #told = new Map<number, ReadonlySet<string>>()

  constructor(folder: string, fallbackFile: string) {
    this.#program = new CellProgram(folder, fallbackFile)
  }

  /** The TypeScript program of the cells. */
  get program(): ts.Program {
    return this.#program.program
  }

  compile({ number, name, code }: CellSource): Compilation {
    const text = readCell(code)
    if (text.refusal !== null)
      return { ok: false, complaints: [{ file: null, column: 1, ...text.refusal }] }
    const program = this.#program
    const replaced = this.#takeGlobals(text)
    const slot = program.place({ text, number, label: labelOf(name) })
    try {
      const found = program.check(slot)
      if (found.length === 0) {
        const path = program.files.pathOf(slot)
        const file = program.program.getSourceFile(path)
        const block = file === undefined ? null : findUnmeantBlock(file)
        const notices = [...findDroppedPromises(program.program, path), block].flatMap(
          (each) => each ?? [],
        )
        return { ok: true, cell: this.#emit(number, { slot, text, replaced }), notices }
      }
      const jsx = findJsx(text.source)
      const complaints =
        jsx === null
          ? found.map((each) => program.complaintOf(each))
          : [{ file: null, ...jsx, message: noJsx }]
      this.#release(slot, replaced)
      const why = `${capitalize(labelOf(name))}, which declares it, did not run because of its errors.`
      for (const each of text.declared.keys()) program.names.lose(each, why)
      return { ok: false, complaints }
    } catch (thrown) {
      this.#release(slot, replaced)
      if (!(thrown instanceof SyntaxProblem)) throw thrown
      const { line, column } = thrown
      const message = [thrown.message, ...adviceFor(text.source, { line, column })].join('\n  ')
      return { ok: false, complaints: [{ file: null, line, column, message }] }
    }
  }

  #emit(
    number: number,
    { slot, text, replaced }: { slot: number; text: CellText; replaced: readonly number[] },
  ): CompiledCell {
    const { program, files: cellFiles } = this.#program
    const types = typesAmong(program, cellFiles.pathOf(slot), text)
    const unions = unionsAmong(program, cellFiles.pathOf(slot))
    const { settings, paths, names } = this.#program
    const { cell, reached } = emitCell(text, {
      settings,
      known: { has: (name) => names.hasValue(name) },
      types,
    })
    const stamps = this.#changedFilesOf(slot)
    const files = [...stamps].map(([path, stamp]) => {
      const change = dropTypes(program, path)
      return { ...emitFile(path, readFileSync(path, 'utf8'), { settings, paths, change }), stamp }
    })
    this.#pending.set(number, { slot, reached, types, unions, replaced, stamps })
    return { ...cell, files, paths }
  }

  /** Release the slot of a cell that does not run. Restore the globals of earlier cells that it would have replaced. */
  #release(slot: number, replaced: readonly number[]): void {
    this.#program.release(slot)
    for (const each of replaced) this.#program.modules.restoreGlobals(each)
  }

  abandon(number: number): void {
    const pending = this.#pending.get(number)
    this.#pending.delete(number)
    if (pending !== undefined) this.#release(pending.slot, pending.replaced)
  }

  accept(number: number, reachedCount: number, isReplay = false): readonly string[] {
    const pending = this.#pending.get(number)
    if (pending === undefined) return []
    this.#pending.delete(number)
    const { slot, reached, types, unions, stamps } = pending
    if (!isReplay) for (const [path, stamp] of stamps) this.#sent.set(path, stamp)
    const { names, cells } = this.#program
    this.#program.letGo(slot)
    const label = capitalize(this.#program.labelOf(slot))
    const again = new Map<string, number>()
    const kinds = new Map<string, Origin['kind']>()
    for (const [name, { kind }] of cells.get(slot)?.text.declared ?? []) {
      const isType = kind === 'type' || types.has(name)
      if (!isType && (reached.get(name) ?? 0) > reachedCount) {
        names.lose(name, `${label}, which declares it, failed before it got there.`)
        continue
      }
      const isUnion = kind === 'constant' && unions.has(name)
      const as = isType ? 'type' : isUnion ? 'union' : kind
      kinds.set(name, as)
      const before = names.declare(name, { slot, kind: as })
      if (before !== null) again.set(name, before.slot)
    }
    this.#program.typeLargeValues(slot)
    const changed = this.#program.settle(slot, { kinds, again })
    if (changed.size === 0) {
      this.#program.fold([slot])
      return []
    }
    this.#program.unfold(changed)
    // A replay reports nothing. But modules of earlier cells must take the new variables, as they did before.
    const misfits = findMisfits(this.#program, slot, { again: changed, told: this.#told })
    this.#program.foldAgain()
    this.#program.fold([slot])
    return isReplay ? [] : misfits
  }

  needed(): readonly number[] {
    return this.#program.needed
  }

  reset(): void {
    this.#pending.clear()
    this.#sent.clear()
    this.#told.clear()
    this.#program.clear()
  }

  complete(code: string, offset: number): Completion {
    return completeAt(this.#program, code, offset)
  }

  inspect(code: string, offset: number): string | null {
    return inspectAt(this.#program, code, offset)
  }

  isComplete(code: string): Completeness {
    return isComplete(code)
  }

  /** Compile a text that is not a cell, to load what later cells need. */
  warm(code: string): void {
    const text = readCell(code)
    const slot = this.#program.place({ text, number: 0, label: '' })
    this.#program.check(slot)
    emitCell(text, {
      settings: this.#program.settings,
      known: new Set(),
      types: typesAmong(this.#program.program, this.#program.files.pathOf(slot), text),
    })
    this.#program.release(slot)
  }

  /** Remove the globals that a cell declares from the earlier cells that declare them too. Returns the slots of those. */
  #takeGlobals({ globals }: CellText): number[] {
    if (globals.size === 0) return []
    const before = [...this.#program.cells].filter(([, { text }]) =>
      [...text.globals].some((name) => globals.has(name)),
    )
    for (const [slot] of before) this.#program.modules.dropGlobals(slot)
    return before.map(([slot]) => slot)
  }

  /** Return the notebook's own TypeScript files that a cell imports and that have changed, with their stamps. */
  #changedFilesOf(slot: number): Map<string, string> {
    const own = this.#program
      .ownImportsOf(slot)
      .filter((path) => /\.[cm]?tsx?$/u.test(path) && !path.endsWith('.d.ts'))
    const stamps = own.map((path) => [path, this.#program.disk.stampOf(path)] as const)
    return new Map(stamps.filter(([path, stamp]) => this.#sent.get(path) !== stamp))
  }
}

/** Return the imported names that are only types. They do not exist at run time. */
function typesAmong(program: ts.Program, path: string, text: CellText): Set<string> {
  const types = new Set<string>()
  if (![...text.declared.values()].some(({ isImport }) => isImport)) return types
  const checker = program.getTypeChecker()
  const look = (name: ts.Identifier | undefined): void => {
    const symbol = name === undefined ? undefined : checker.getSymbolAtLocation(name)
    if (name === undefined || symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0)
      return
    const target = checker.getAliasedSymbol(symbol)
    // The symbol of a package without types is `unknown`.
    if (checker.isUnknownSymbol(target)) return
    if ((target.flags & ts.SymbolFlags.Value) === 0) types.add(name.text)
  }
  for (const statement of program.getSourceFile(path)?.statements ?? []) {
    if (!ts.isImportDeclaration(statement)) continue
    look(statement.importClause?.name)
    const bindings = statement.importClause?.namedBindings
    if (bindings !== undefined && ts.isNamedImports(bindings))
      for (const { name } of bindings.elements) look(name)
  }
  return types
}

/** Return the constants whose type is a union. */
function unionsAmong(program: ts.Program, path: string): Set<string> {
  const checker = program.getTypeChecker()
  const statements = program.getSourceFile(path)?.statements ?? []
  const names = statements.flatMap((statement) =>
    ts.isVariableStatement(statement) &&
    (statement.declarationList.flags & ts.NodeFlags.Constant) !== 0
      ? statement.declarationList.declarations.flatMap(({ name }) => identifiersOf(name))
      : [],
  )
  const unions = names.filter((name) => checker.getTypeAtLocation(name).isUnion())
  return new Set(unions.map(({ text }) => text))
}

/** Give advice for a syntax error at a 1-based position. */
function adviceFor(source: string, { line, column }: CellPlace): string[] {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true)
  // The error was found after `export` had been replaced, which may be longer, so its column may be beyond the end.
  const lineStart = file.getLineStarts()[line - 1] ?? source.length
  const at = Math.min(lineStart + column - 1, source.length)
  const advice =
    adviceForLine(source.split('\n')[line - 1] ?? '') ??
    adviceForQuestion(file, at) ??
    adviceForObject(file, at)
  return advice === null ? [] : [advice]
}

function labelOf(name: string): string {
  return `cell ${name.replace(/^cell-|\.ts$/gu, '')}`
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
