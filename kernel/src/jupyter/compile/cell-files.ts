import { join } from 'node:path'
import ts from 'typescript'

/** How many files of cells are made at once. */
const step = 64
/** What stands in a file that no cell uses. */
const unused = `import {} from './$cells'; export {}\n`
/** The name by which one cell's module imports another's. */
export const namespaceOf = (slot: number): string => `__cell${slot}__`

interface VirtualFile {
  readonly text: string
  readonly version: number
  readonly snapshot: ts.IScriptSnapshot
}

/**
 * The modules of cells, as files in the notebook's folder that exist for TypeScript alone. A slot is the number of such a file.
 *
 * TypeScript rebuilds its program ten times as fast while the set of files and their imports stay the same. So files are made in advance for later cells.
 * Each cell's file imports only the hub `$cells.ts`, which exports all of them.
 */
export class CellFiles {
  readonly #folder: string
  readonly #files = new Map<string, VirtualFile>()
  readonly #slots = new Map<string, number>()
  #free: number[] = []
  #count = 0

  constructor(folder: string, others: Readonly<Record<string, string>>) {
    this.#folder = folder
    for (const [name, text] of Object.entries(others)) this.write(join(folder, name), text)
    this.#grow()
  }

  /** All paths. */
  get paths(): string[] {
    return [...this.#files.keys()]
  }

  /** How many slots are free. */
  get freeCount(): number {
    return this.#free.length
  }

  /** The slots there are. */
  get slots(): number[] {
    return [...this.#slots.values()]
  }

  /** The file of that path, if it is one of these. */
  maybe(path: string): VirtualFile | undefined {
    return this.#files.get(path)
  }

  /** The path of a slot. It begins with a dollar, because a file of the notebook's own may be called `cell-1.ts`. */
  pathOf(slot: number): string {
    return join(this.#folder, `$cell-${slot}.ts`)
  }

  /** The slot of a path; null when it is no cell's. */
  slotOf(path: string): number | null {
    return this.#slots.get(path) ?? null
  }

  /** The text of a slot. */
  textOf(slot: number): string {
    return this.#files.get(this.pathOf(slot))?.text ?? unused
  }

  /** Take the next free slot; with `peek` it stays free. */
  take(peek = false): number {
    if (this.#free.length === 0) this.#grow()
    const [slot = 0] = this.#free
    if (!peek) this.#free.shift()
    return slot
  }

  /** Give a slot back. */
  release(slot: number): void {
    if (this.#free.includes(slot)) return
    this.write(this.pathOf(slot), unused)
    this.#free.push(slot)
  }

  /** Make more slots when few are free. */
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

  #grow(): void {
    const first = this.#count + 1
    this.#count += step
    for (let slot = first; slot <= this.#count; slot += 1) {
      this.write(this.pathOf(slot), unused)
      this.#slots.set(this.pathOf(slot), slot)
      this.#free.push(slot)
    }
    const lines = this.slots.map((slot) => `export * as c${slot} from './$cell-${slot}'`)
    this.write(join(this.#folder, '$cells.ts'), lines.join('\n'))
  }
}
