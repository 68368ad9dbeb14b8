import type { CellFiles } from './cell-files.ts'
import type { CellText } from './cell-text.ts'
import { namesFor, slotsOf, writeNameLine } from './name-line.ts'
import type { KnownName, Names } from './names.ts'
import type { OldCells } from './old-cells.ts'
import type { PlainCells } from './plain-cells.ts'

/** What {@link CellModules} writes modules from. */
export interface CellModulesOptions {
  readonly files: CellFiles
  readonly names: Names
  readonly plain: PlainCells
  readonly old: OldCells
  /** Return the text of the cell in a slot; undefined when no cell has it. */
  textOf(slot: number): CellText | undefined
}

/** Writes cells as modules that import names from each other. */
export class CellModules {
  readonly #options: CellModulesOptions
  /** For each slot: the names that its module imports from earlier cells. */
  readonly #imported = new Map<number, ReadonlyMap<string, KnownName>>()
  /** Slots whose `declare global` a later cell has replaced. */
  readonly #replaced = new Set<number>()

  constructor(options: CellModulesOptions) {
    this.#options = options
  }

  /** Write the module of a cell with the names that are known now. Returns its slot. */
  add(text: CellText): number {
    const imported = this.#namesFor(text)
    const slot = this.#options.files.take(moduleOf(this.#lineOf(text, imported), text))
    this.#imported.set(slot, imported)
    return slot
  }

  /** Return the slots that a module imports from. */
  importsOf(slot: number): Set<number> {
    return slotsOf(this.#imported.get(slot) ?? new Map())
  }

  /** Write a module with the names that are known now. Returns a function that restores the module. */
  update(slot: number): () => void {
    const text = this.#options.textOf(slot)
    if (text === undefined) return () => undefined
    const before = this.#imported.get(slot)
    this.#imported.set(slot, this.#namesFor(text))
    this.write(slot)
    return () => {
      if (before !== undefined) this.#imported.set(slot, before)
      this.write(slot)
    }
  }

  /** Write a module again, after a change of the cell's text or of the modules that it imports from. */
  write(slot: number): void {
    const { files, textOf } = this.#options
    const text = textOf(slot)
    if (text === undefined || !files.isPlaced(slot)) return
    const line = this.#lineOf(text, this.#imported.get(slot) ?? new Map())
    const source = this.#replaced.has(slot) ? text.withoutGlobals : text.source
    files.write(files.pathOf(slot), moduleOf(line, { ...text, source }))
  }

  /** Remove `declare global` from a module, because a later cell declares the same globals. */
  dropGlobals(slot: number): void {
    this.#replaced.add(slot)
    this.write(slot)
  }

  /** Put `declare global` back into a module. */
  restoreGlobals(slot: number): void {
    this.#replaced.delete(slot)
    this.write(slot)
  }

  /** Write an unfinished cell, with all known names, into a free file. Returns its path and the number of characters before the cell's text. */
  draft(text: CellText): { path: string; before: number } {
    const { files, names } = this.#options
    const path = files.freePath
    const line = this.#lineOf(text, namesFor(text, names.all, names.all.keys()))
    files.write(path, moduleOf(line, text))
    return { path, before: line.length + 1 }
  }

  /** Remove a module and free its slot. */
  remove(slot: number): void {
    this.#imported.delete(slot)
    this.#replaced.delete(slot)
    this.#options.files.release(slot)
  }

  /** Return the names of earlier cells that a cell uses, as they are known now. */
  #namesFor(text: CellText): ReadonlyMap<string, KnownName> {
    return namesFor(text, this.#options.names.all, text.words)
  }

  #lineOf(text: CellText, imported: ReadonlyMap<string, KnownName>): string {
    const { files, names, plain, old } = this.#options
    return writeNameLine(text, {
      imported,
      maybePlain: (slot, name) => plain.maybe(slot, name),
      memberOf: (slot) => (old.has(slot) ? `old${slot}` : `cell${files.fileOf(slot)}`),
      isKnown: (name) => names.maybe(name) !== undefined,
    })
  }
}

/** Write a cell as a module: a line that imports names of earlier cells, the text of the cell, and a line that exports its declarations. */
function moduleOf(line: string, { source, declared, exported }: CellText): string {
  const names = [...declared.keys()].filter((name) => !exported.has(name))
  return `${line}\n${source}\nexport { ${names.join(', ')} }\n`
}
