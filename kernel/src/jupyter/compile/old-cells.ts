import type ts from 'typescript'
import type { CellFiles } from './cell-files.ts'
import { maybeDeclarations, moduleOfOld, type Declarations } from './declarations.ts'

/** So many cells become old at once, because that changes many files. */
const leastCount = 32
/** The declarations of at most so many cells are in one file. A larger file would take long to parse again. */
const maxCount = 512

/**
 * Old cells: those whose modules TypeScript has only as declarations. They declare classes or types, so later modules import from them. Many of them share one
 * file, as `declare module '$old-5' { … }`, because each file of a program takes time for each later cell.
 *
 * The last two files are merged while the last one is at least as large as the one before. So there are few files, and a cell is parsed again only a few times.
 */
export class OldCells {
  readonly #files: CellFiles
  /** The declarations of cells that are old or can become old. */
  readonly #declarations = new Map<number, Declarations>()
  readonly #old = new Set<number>()
  /** Whether a cell has declared a symbol, which may be the name of a property. */
  #hasSymbols = false
  /** The slots in each file of old cells. Some may have no old cell any more. */
  #groups: readonly (readonly number[])[] = []

  constructor(files: CellFiles) {
    this.#files = files
  }

  /** Tell whether a cell is old. */
  has(slot: number): boolean {
    return this.#old.has(slot)
  }

  /** Return the slots that the declarations of a cell refer to. */
  slotsOf(slot: number): Iterable<number> {
    return this.#declarations.get(slot)?.slots ?? []
  }

  /** Read the declarations of a cell from a program that has its module. */
  read(slot: number, { program, path }: { program: ts.Program; path: string }): void {
    const declarations = maybeDeclarations(program, path, this.#files)
    if (declarations?.text.includes('unique symbol') === true) this.#hasSymbols = true
    // TypeScript leaves out properties whose names are symbols of other modules, without a diagnostic.
    if (declarations !== null && !this.#hasSymbols) this.#declarations.set(slot, declarations)
  }

  /** Make cells old that have ended and can be. Returns their slots. */
  add(ended: readonly number[]): readonly number[] {
    const added = ended.filter((slot) => this.#declarations.has(slot) && this.#files.isPlaced(slot))
    const leftCount = this.#groups.flat().length - this.#old.size
    if (added.length < leastCount && leftCount < leastCount) return []
    for (const slot of added) {
      this.#old.add(slot)
      this.#files.suspend(slot)
    }
    this.#groups = merge([
      ...this.#groups.map((group) => group.filter((slot) => this.#old.has(slot))),
      added,
    ])
    this.#write()
    return added
  }

  /** Make a cell young again. Its module must be written into a file. No other module may refer to its declarations any more. */
  remove(slot: number): void {
    this.#declarations.delete(slot)
    this.#old.delete(slot)
  }

  /** Remove all cells. */
  clear(): void {
    this.#declarations.clear()
    this.#old.clear()
    this.#hasSymbols = false
    this.#groups = []
    this.#write()
  }

  #write(): void {
    const fileOf = (slot: number): number => (this.#old.has(slot) ? 0 : this.#files.fileOf(slot))
    const texts = this.#groups.map((group) =>
      group
        .flatMap((slot) => {
          const declarations = this.#declarations.get(slot)
          return declarations === undefined ? [] : [moduleOfOld(slot, declarations, fileOf)]
        })
        .join(''),
    )
    this.#files.writeOld(texts, this.#groups.flat())
  }
}

function merge(groups: readonly (readonly number[])[]): (readonly number[])[] {
  const merged: (readonly number[])[] = []
  for (const group of groups) {
    let last = group
    for (let before = merged.at(-1); before !== undefined; before = merged.at(-1)) {
      if (last.length < before.length || last.length + before.length > maxCount) break
      merged.pop()
      last = [...before, ...last]
    }
    if (last.length > 0) merged.push(last)
  }
  return merged
}
