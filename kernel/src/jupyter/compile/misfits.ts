import ts from 'typescript'
import type { CellProgram } from './cell-program.ts'
import { nameCells } from './complaints.ts'

/** "implicitly has type 'any' because it is referenced in its own initializer", and similar. Source: TypeScript, diagnosticMessages.json. */
const circularCodes = [7022, 7023, 7024]

/** Options of {@link findMisfits}. */
export interface MisfitOptions {
  /** The names that were declared again, and the slot that declared each before. */
  readonly again: ReadonlyMap<string, number>
  /** For the number of each cell: the sentences that were last returned for it. They are not returned again. */
  readonly told: Map<number, ReadonlySet<string>>
}

/**
 * Find misfits: earlier cells that have type errors after the cell in `slot` has declared names again, because their functions now use the new variables.
 * Returns a sentence for each new error.
 */
export function findMisfits(
  cells: CellProgram,
  slot: number,
  { again, told }: MisfitOptions,
): readonly string[] {
  return [...checkUsers(cells, slot, { again, told }), ...compareTypes(cells, slot, again)]
}

/** Check the cells that use one of these names again, with the new variables. */
function checkUsers(cells: CellProgram, slot: number, { again, told }: MisfitOptions): string[] {
  const names = [...again.keys()]
  const users = [...cells.cells].filter(
    ([other, { text }]) =>
      other !== slot && names.some((name) => text.words.has(name) && !text.declared.has(name)),
  )
  const written = users.map(([other]) => [other, cells.modules.update(other)] as const)
  return written.flatMap(([other, undo]) => {
    const found = cells
      .check(other)
      .filter(({ file }) => cells.files.slotOf(file.fileName) === other)
    if (found.some(({ code }) => circularCodes.includes(code))) {
      // A type would depend on itself. Restore the module of the cell.
      undo()
      return []
    }
    const misfits = found.map((each) => {
      const { line, column, message } = cells.complaintOf(each)
      return `${cells.labelOf(other)} no longer fits, at ${line}:${column}: ${message}`
    })
    const number = cells.cells.get(other)?.number ?? 0
    const before = told.get(number)
    told.set(number, new Set(misfits))
    return misfits.filter((each) => before?.has(each) !== true)
  })
}

/** Compare the old and new types of names that are still used by functions of the cell that declared them before. */
function compareTypes(
  cells: CellProgram,
  slot: number,
  again: ReadonlyMap<string, number>,
): string[] {
  const { program } = cells
  const checker = program.getTypeChecker()
  const typeOf = (of: number, name: string): ts.Type | null => {
    const module = cells.moduleOf(of)
    const found =
      module === undefined ? undefined : checker.tryGetMemberInModuleExports(name, module)
    if (found === undefined) return null
    const isAlias = (found.flags & ts.SymbolFlags.Alias) !== 0
    const symbol = isAlias ? checker.getAliasedSymbol(found) : found
    return checker.getBaseTypeOfLiteralType(checker.getTypeOfSymbol(symbol))
  }
  return [...again].flatMap(([name, old]) => {
    if (old === slot || !isUsedTwice(cells.cells.get(old)?.text.source ?? '', name)) return []
    const before = typeOf(old, name)
    const after = typeOf(slot, name)
    if (before === null || after === null || checker.isTypeAssignableTo(after, before)) return []
    const text = (type: ts.Type): string =>
      nameCells(checker.typeToString(type), cells.files, (of) => cells.labelOf(of))
    const owner = `what ${cells.labelOf(old)} declared with it`
    // Two classes with the same name.
    if (text(after) === text(before))
      return [`${name} is another one now; ${owner} was written for the one before`]
    return [`${name} is now ${text(after)}; ${owner} takes it for ${text(before)}`]
  })
}

function isUsedTwice(source: string, name: string): boolean {
  const word = new RegExp(
    `(?<![\\p{ID_Continue}$])${name.replaceAll('$', '\\$')}(?![\\p{ID_Continue}$])`,
    'gu',
  )
  return (source.match(word) ?? []).length > 1
}
