import type { Declared } from './cell-text.ts'

/** Where a name of earlier cells comes from: the slot of a cell, and how the cell declares it. */
export interface Origin {
  readonly slot: number
  /** As the cell declares it. `union`: a constant whose type is a union, which functions of later cells may narrow. */
  readonly kind: Declared['kind'] | 'union'
}

/** A name that later cells know. A value and a type of the same name may come from different cells. */
export interface KnownName {
  readonly value: Origin | null
  readonly type: Origin | null
  /** The slot that declared the name last. Its module has the value and the type. */
  readonly slot: number
}

/** The names that earlier cells declared before they ended or failed. */
export class Names {
  readonly #known = new Map<string, KnownName>()
  /** For names that have no value because a cell failed: what happened to it. */
  readonly #lost = new Map<string, string>()

  /** All names. */
  get all(): ReadonlyMap<string, KnownName> {
    return this.#known
  }

  /** Tell whether a name is that of a value with a box. */
  hasValue(name: string): boolean {
    const value = this.#known.get(name)?.value ?? null
    return value !== null && value.kind !== 'ambient'
  }

  /** The slots that known names come from. */
  get slots(): Set<number> {
    const origins = [...this.#known.values()].flatMap(({ value, type }) => [value, type])
    return new Set(origins.flatMap((origin) => (origin === null ? [] : [origin.slot])))
  }

  /** Return what is known of a name. */
  maybe(name: string): KnownName | undefined {
    return this.#known.get(name)
  }

  /** Return a sentence that says why this name has no value; null when no cell declares it. */
  maybeLost(name: string): string | null {
    return this.#lost.get(name) ?? null
  }

  /** Declare a name. Returns its earlier origin if it was a value. */
  declare(name: string, origin: Origin): Origin | null {
    const before = this.#known.get(name)
    this.#lost.delete(name)
    if (origin.kind === 'type') {
      const stays = before?.value ?? null
      // The value stays beside the new type. If the old name was both, such as a class, only its value stays.
      const value: Origin | null = stays?.kind === 'both' ? { ...stays, kind: 'constant' } : stays
      this.#known.set(name, { value, type: origin, slot: origin.slot })
      return null
    }
    const isAlsoType = origin.kind === 'both'
    const type = before?.type?.kind === 'type' ? before.type : null
    this.#known.set(name, { value: origin, type: isAlsoType ? origin : type, slot: origin.slot })
    return before?.value ?? null
  }

  /** Note that a cell gave this name no value, and why. An earlier declaration stays. */
  lose(name: string, why: string): void {
    if (!this.#known.has(name)) this.#lost.set(name, why)
  }

  /** Remove all names. */
  clear(): void {
    this.#known.clear()
    this.#lost.clear()
  }
}
