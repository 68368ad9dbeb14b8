import type ts from 'typescript'
import type { CellText } from './cell-text.ts'
import type { Origin, Names } from './names.ts'
import { maybePlain, type PlainDeclaration } from './plain-types.ts'

/** Text for which a cell cannot be replaced by its declarations: imports, modules, globals, references, and documentation comments. */
const foreign = /\/\*\*|\/\/\/|\b(?:import|module|global|globalThis)\b/u

/** A program and the path of a cell's module in it. */
interface PlacedModule {
  readonly program: ts.Program
  readonly path: string
}

/** The cells that TypeScript can do without: all their names have plain declarations, see {@link PlainDeclaration}. */
export class PlainCells {
  /** How each cell declares its names. */
  readonly #kinds = new Map<number, ReadonlyMap<string, Origin['kind']>>()
  readonly #declarations = new Map<number, ReadonlyMap<string, PlainDeclaration>>()

  /** Note the names that a cell has declared, unless its module is needed anyway. */
  add(
    slot: number,
    text: CellText,
    { kinds, names }: { kinds: ReadonlyMap<string, Origin['kind']>; names: Names },
  ): void {
    const isType = (name: string): boolean => names.maybe(name)?.type !== null
    if (foreign.test(text.source) || [...kinds.keys()].some(isType)) return
    this.#kinds.set(slot, kinds)
  }

  /** Store the plain declarations of a cell, read from a program that has its module. */
  read(slot: number, module: PlacedModule): void {
    const declarations = this.resolve(slot, module)
    if (declarations !== null) this.#declarations.set(slot, declarations)
  }

  /** Resolve the types of a cell's names. Returns their plain declarations; null when one of them has none. */
  resolve(
    slot: number,
    { program, path }: PlacedModule,
  ): ReadonlyMap<string, PlainDeclaration> | null {
    const kinds = this.#kinds.get(slot)
    const file = program.getSourceFile(path)
    if (kinds === undefined || file === undefined) return null
    const declarations = new Map<string, PlainDeclaration>()
    for (const [name, kind] of kinds) {
      const plain = maybePlain(program, file, { name, kind })
      if (plain === null) return null
      declarations.set(name, plain)
    }
    return declarations
  }

  /** Tell whether the names of a cell have plain declarations. */
  has(slot: number): boolean {
    return this.#declarations.has(slot)
  }

  /** Return the plain declaration of a name; null when it has none. */
  maybe(slot: number, name: string): PlainDeclaration | null {
    return this.#declarations.get(slot)?.get(name) ?? null
  }

  /** Tell whether two cells declare a name with the same type. False when that is not known. */
  isSame(name: string, slot: number, other: number): boolean {
    const text = this.maybe(slot, name)?.text
    return text !== undefined && text === this.maybe(other, name)?.text
  }

  /** Remove the declarations of a cell until {@link read}. */
  forget(slot: number): void {
    this.#declarations.delete(slot)
  }

  /** Remove a cell. */
  remove(slot: number): void {
    this.#kinds.delete(slot)
    this.#declarations.delete(slot)
  }
}
