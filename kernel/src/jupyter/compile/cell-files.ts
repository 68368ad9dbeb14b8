import { join } from 'node:path'
import ts from 'typescript'

/** How many files of cells are made at once. */
const step = 64
/** What stands in a file that no cell uses. */
const unused = `import {} from './$cells'; export {}\n`
/** The name by which one cell's module imports that of another, which is in the file of that number. */
export const namespaceOf = (file: number): string => `__cell${file}__`

interface VirtualFile {
  readonly text: string
  readonly version: number
  readonly snapshot: ts.IScriptSnapshot
}

/**
 * The modules of cells, as files in the notebook's folder that exist for TypeScript alone. A cell has a slot, which is a number of its own. Its module has a
 * file while TypeScript has to see it. Files are numbered too, and are used again.
 *
 * TypeScript rebuilds its program ten times as fast while the set of files and their imports stay the same. So files are made in advance for later cells.
 * Each cell's file imports only the hub `$cells.ts`, which exports all of them.
 */
export class CellFiles {
  readonly #folder: string
  readonly #files = new Map<string, VirtualFile>()
  /** The number of each cell's file. */
  readonly #numbers = new Map<string, number>()
  readonly #fileOf = new Map<number, number>()
  readonly #slotAt = new Map<number, number>()
  #free: number[] = []
  #count = 0
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

  /** How many files are free. */
  get freeCount(): number {
    return this.#free.length
  }

  /** The file of that path, if it is one of these. */
  maybe(path: string): VirtualFile | undefined {
    return this.#files.get(path)
  }

  /** Whether a path is that of a cell's file. */
  has(path: string): boolean {
    return this.#numbers.has(path)
  }

  /** Whether the module of a slot has a file. */
  isPlaced(slot: number): boolean {
    return this.#fileOf.has(slot)
  }

  /** The number of the file that a slot's module has; 0 when it has none. */
  fileOf(slot: number): number {
    return this.#fileOf.get(slot) ?? 0
  }

  /** The path of a slot's module. */
  pathOf(slot: number): string {
    return this.#pathOf(this.fileOf(slot))
  }

  /** The slot whose module has that path; 0 when it is the file of no cell; null when it is no file of cells. */
  slotOf(path: string): number | null {
    const file = this.#numbers.get(path)
    return file === undefined ? null : (this.#slotAt.get(file) ?? 0)
  }

  /** The text of a slot's module. */
  textOf(slot: number): string {
    return this.#files.get(this.pathOf(slot))?.text ?? unused
  }

  /** Make a slot whose module has that text. */
  take(text: string): number {
    this.#lastSlot += 1
    const slot = this.#lastSlot
    // A cell that is run again, with the same meaning, needs no new program.
    const same = this.#free.find((file) => this.#files.get(this.#pathOf(file))?.text === text)
    if (same !== undefined) this.#free = [same, ...this.#free.filter((file) => file !== same)]
    this.resume(slot)
    this.write(this.pathOf(slot), text)
    return slot
  }

  /** The path of a file that no slot has. */
  get freePath(): string {
    if (this.#free.length === 0) this.#grow()
    return this.#pathOf(this.#free[0] ?? 0)
  }

  /** Give a slot a file. */
  resume(slot: number): void {
    if (this.isPlaced(slot)) return
    if (this.#free.length === 0) this.#grow()
    const file = this.#free.shift() ?? 0
    this.#fileOf.set(slot, file)
    this.#slotAt.set(file, slot)
  }

  /** Take a slot's file away, for another slot. Its text stays until then: each change of a file costs time. */
  suspend(slot: number): void {
    const file = this.#fileOf.get(slot)
    if (file === undefined) return
    this.#fileOf.delete(slot)
    this.#slotAt.delete(file)
    this.#free.push(file)
  }

  /** Empty a slot's file, and take it away. */
  release(slot: number): void {
    if (this.isPlaced(slot)) this.write(this.pathOf(slot), unused)
    this.suspend(slot)
  }

  /** Make more files when few are free. */
  growIfScarce(): void {
    if (this.#free.length < step / 2) this.#grow()
  }

  /** Write a file. */
  write(path: string, text: string): void {
    const before = this.#files.get(path)
    if (before?.text === text) return
    const snapshot = ts.ScriptSnapshot.fromString(text)
    this.#files.set(path, { text, version: (before?.version ?? 0) + 1, snapshot })
  }

  /** It begins with a dollar, because a file of the notebook's own may be called `cell-1.ts`. */
  #pathOf(file: number): string {
    return join(this.#folder, `$cell-${file}.ts`)
  }

  #grow(): void {
    const first = this.#count + 1
    this.#count += step
    for (let file = first; file <= this.#count; file += 1) {
      this.write(this.#pathOf(file), unused)
      this.#numbers.set(this.#pathOf(file), file)
      this.#free.push(file)
    }
    const lines = [...this.#numbers.values()].map(
      (file) => `export * as c${file} from './$cell-${file}'`,
    )
    this.write(join(this.#folder, '$cells.ts'), lines.join('\n'))
  }
}
