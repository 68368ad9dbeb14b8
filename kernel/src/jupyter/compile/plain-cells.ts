import type ts from 'typescript'
import type { CellText } from './cell-text.ts'
import type { Home, Names } from './names.ts'
import { maybePlain, type PlainDeclaration } from './plain-types.ts'

/** What in a cell's text means more than its declarations: other modules and their globals, references, and comments that are shown later. */
const foreign = /\/\*\*|\/\/\/|\b(?:import|module|global|globalThis)\b/u

/** A program, and where in it the module of a cell is. */
interface PlacedModule {
  readonly program: ts.Program
  readonly path: string
}

/** The cells whose every name can be declared without their module, and these declarations. */
export class PlainCells {
  /** How each cell declares its names. */
  readonly #kinds = new Map<number, ReadonlyMap<string, Home['kind']>>()
  readonly #declarations = new Map<number, ReadonlyMap<string, PlainDeclaration>>()

  /** Note the names that a cell has declared, unless it is one whose module is needed anyway. */
  add(
    slot: number,
    text: CellText,
    { kinds, names }: { kinds: ReadonlyMap<string, Home['kind']>; names: Names },
  ): void {
    const isType = (name: string): boolean => names.maybe(name)?.type !== null
    if (foreign.test(text.source) || [...kinds.keys()].some(isType)) return
    this.#kinds.set(slot, kinds)
  }

  /** Note the types of a cell's names as they are in a program that has its module. */
  read(slot: number, module: PlacedModule): void {
    const declarations = this.resolve(slot, module)
    if (declarations !== null) this.#declarations.set(slot, declarations)
  }

  /** Have TypeScript find out the types of a cell's names. Returns their declarations; null when one of them needs the module. */
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

  /** Whether the names of a cell are declared without its module. */
  has(slot: number): boolean {
    return this.#declarations.has(slot)
  }

  /** The declaration of a name without its cell's module; null when there is none. */
  maybe(slot: number, name: string): PlainDeclaration | null {
    return this.#declarations.get(slot)?.get(name) ?? null
  }

  /** Whether two cells declare a name with the same type. False when that is not known. */
  isSame(name: string, slot: number, other: number): boolean {
    const text = this.maybe(slot, name)?.text
    return text !== undefined && text === this.maybe(other, name)?.text
  }

  /** Forget the types of a cell's names, until they are read again. */
  forget(slot: number): void {
    this.#declarations.delete(slot)
  }

  /** Forget a cell. */
  remove(slot: number): void {
    this.#kinds.delete(slot)
    this.#declarations.delete(slot)
  }
}
