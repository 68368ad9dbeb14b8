import { join } from 'node:path'
import ts from 'typescript'

/** How many cell files are added at once. */
const step = 64
/** The text of a file that no cell uses. */
const unused = `import {} from '$cells'; export {}\n`
/** The specifiers of the modules that {@link CellFiles} resolves. No package has such a name. */
const specifier = /^\$(?:cells|cell-\d+)$/u
/** The specifier of the declarations of an old cell. */
const oldSpecifier = /^\$old-(\d+)$/u

/** The name under which a cell's module imports that of another cell, which `$cells.ts` exports as `member`. */
export const namespaceOf = (member: string): string => `__${member}__`
/** A name as of {@link namespaceOf}. */
export const cellNamespace = /^__(?:cell|old)\d+__$/u

interface VirtualFile {
  readonly text: string
  readonly version: number
  readonly snapshot: ts.IScriptSnapshot
}

/**
 * The modules of cells, as virtual files in the notebook's folder that only TypeScript sees. Each cell has a slot: a number that no other cell gets. The module
 * of a slot has a file while TypeScript needs to see it. Files have numbers too, and are reused.
 *
 * TypeScript rebuilds its program ten times as fast while the set of files and their imports stay the same. So files are added in advance for later cells, and
 * each cell's file imports only one file, `$cells.ts`, which re-exports all of them. Old cells have no file of their own, see {@link OldCells}.
 */
export class CellFiles {
  readonly #folder: string
  readonly #files = new Map<string, VirtualFile>()
  /** The number of the file at each path. */
  readonly #numbers = new Map<string, number>()
  readonly #fileOf = new Map<number, number>()
  readonly #slotAt = new Map<number, number>()
  #free: number[] = []
  /** The slots of old cells. */
  #old: readonly number[] = []
  #oldFileCount = 0
  #count = 0
  #changeCount = 0
  #lastSlot = 0

  constructor(folder: string, others: Readonly<Record<string, string>>) {
    this.#folder = folder
    for (const [name, text] of Object.entries(others)) this.write(join(folder, name), text)
    this.#grow()
  }

  /** All paths. */
  get paths(): string[] {
    return [...this.#files.keys()]
  }

  /** The number of changes of files so far. */
  get changeCount(): number {
    return this.#changeCount
  }

  /** How many files are free. */
  get freeCount(): number {
    return this.#free.length
  }

  /** Return the file of a path; undefined when it is none of these. */
  maybe(path: string): VirtualFile | undefined {
    return this.#files.get(path)
  }

  /** Tell whether a path is that of a cell's file. */
  has(path: string): boolean {
    return this.#numbers.has(path)
  }

  /** Tell whether the module of a slot has a file. */
  isPlaced(slot: number): boolean {
    return this.#fileOf.has(slot)
  }

  /** Return the number of the file of a slot's module; 0 when it has none. */
  fileOf(slot: number): number {
    return this.#fileOf.get(slot) ?? 0
  }

  /** Return the slot whose module is in the file of a number; 0 when the file is free. */
  slotIn(file: number): number {
    return this.#slotAt.get(file) ?? 0
  }

  /** Return the path of a slot's module. */
  pathOf(slot: number): string {
    return this.#pathOf(this.fileOf(slot))
  }

  /** Return the slot whose module has this path; 0 for a file without a cell; null for a path that is not a cell's file. */
  slotOf(path: string): number | null {
    const file = this.#numbers.get(path)
    return file === undefined ? null : (this.#slotAt.get(file) ?? 0)
  }

  /** Return the slot of the module that TypeScript names by this specifier or path; null when it is not that of a cell. */
  slotOfModule(name: string): number | null {
    const old = oldSpecifier.exec(name)
    return old === null ? this.slotOf(`${name}.ts`) : Number(old[1])
  }

  /** Tell whether a specifier is that of a module of cells. */
  isSpecifier(name: string): boolean {
    return specifier.test(name) || oldSpecifier.test(name)
  }

  /** Return the path of the module with this specifier; undefined for an old cell, whose module is declared. */
  maybePathOf(name: string): string | undefined {
    return specifier.test(name) ? join(this.#folder, `${name}.ts`) : undefined
  }

  /** Return the path of the file that has the declarations of an old cell. */
  oldPathOf(slot: number): string {
    for (let file = 1; file <= this.#oldFileCount; file += 1)
      if (this.#files.get(this.#oldPath(file))?.text.includes(`'$old-${slot}'`) === true)
        return this.#oldPath(file)
    throw new Error(`no file declares the cell in slot ${slot}`)
  }

  /** Return the text of a slot's module. */
  textOf(slot: number): string {
    return this.#files.get(this.pathOf(slot))?.text ?? unused
  }

  /** Make a slot whose module has this text. */
  take(text: string): number {
    this.#lastSlot += 1
    const slot = this.#lastSlot
    // Prefer a file that has this text already: a cell that runs again unchanged needs no new program.
    const same = this.#free.find((file) => this.#files.get(this.#pathOf(file))?.text === text)
    if (same !== undefined) this.#free = [same, ...this.#free.filter((file) => file !== same)]
    this.resume(slot)
    this.write(this.pathOf(slot), text)
    return slot
  }

  /** The path of a free file. */
  get freePath(): string {
    if (this.#free.length === 0) this.#grow()
    return this.#pathOf(this.#free[0] ?? 0)
  }

  /** Give a slot a file, if it has none. */
  resume(slot: number): void {
    if (this.isPlaced(slot)) return
    if (this.#free.length === 0) this.#grow()
    const file = this.#free.shift() ?? 0
    this.#fileOf.set(slot, file)
    this.#slotAt.set(file, slot)
  }

  /** Free the file of a slot for another one. The file keeps its text until then, because each change of a file costs time. */
  suspend(slot: number): void {
    const file = this.#fileOf.get(slot)
    if (file === undefined) return
    this.#fileOf.delete(slot)
    this.#slotAt.delete(file)
    this.#free.push(file)
  }

  /** Empty the file of a slot and free it. */
  release(slot: number): void {
    if (this.isPlaced(slot)) this.write(this.pathOf(slot), unused)
    this.suspend(slot)
  }

  /** Add files when few are free. */
  growIfScarce(): void {
    if (this.#free.length < step / 2) this.#grow()
  }

  /** Set the text of a file. */
  write(path: string, text: string): void {
    const before = this.#files.get(path)
    if (before?.text === text) return
    this.#changeCount += 1
    const snapshot = ts.ScriptSnapshot.fromString(text)
    // A file that was removed and is written again must not get an earlier version.
    this.#files.set(path, { text, version: this.#changeCount, snapshot })
  }

  /** The name begins with a dollar sign, because one of the notebook's own files may be called `cell-1.ts`. */
  #pathOf(file: number): string {
    return join(this.#folder, `$cell-${file}.ts`)
  }

  #oldPath(file: number): string {
    return join(this.#folder, `$old-${file}.d.ts`)
  }

  /** Set the texts of the files that declare the modules of old cells. `slots` are those of the cells. */
  writeOld(texts: readonly string[], slots: readonly number[]): void {
    for (const [index, text] of texts.entries()) this.write(this.#oldPath(index + 1), text)
    for (let file = texts.length + 1; file <= this.#oldFileCount; file += 1)
      this.#files.delete(this.#oldPath(file))
    this.#oldFileCount = texts.length
    this.#old = slots
    this.#writeIndex()
  }

  #writeIndex(): void {
    const lines = [
      ...[...this.#numbers.values()].map(
        (file) => `export * as cell${file} from './$cell-${file}'`,
      ),
      ...this.#old.map((slot) => `export * as old${slot} from '$old-${slot}'`),
    ]
    this.write(join(this.#folder, '$cells.ts'), lines.join('\n'))
  }

  #grow(): void {
    const first = this.#count + 1
    this.#count += step
    for (let file = first; file <= this.#count; file += 1) {
      this.write(this.#pathOf(file), unused)
      this.#numbers.set(this.#pathOf(file), file)
      this.#free.push(file)
    }
    this.#writeIndex()
  }
}
