import type { Declared } from './cell-text.ts'

/** Where a name of earlier cells comes from: the slot of the cell, and how it declares it. */
export interface Home {
  readonly slot: number
  /** As the cell declares it. `union`: a constant that may be one of several types, and that functions of later cells may narrow. */
  readonly kind: Declared['kind'] | 'union'
}

/** A name as later cells know it. A value and a type of the same name may come from different cells. */
export interface KnownName {
  readonly value: Home | null
  readonly type: Home | null
  /** The slot that declared it last. Its module has the value and the type. */
  readonly slot: number
}

/** What earlier cells declared, as far as they got. */
export class Names {
  readonly #known = new Map<string, KnownName>()
  /** Names that have no value because of a cell, and what happened to it. */
  readonly #lost = new Map<string, string>()

  /** All names. */
  get all(): ReadonlyMap<string, KnownName> {
    return this.#known
  }

  /** The values that have a box. */
  get values(): Set<string> {
    const found = new Set<string>()
    for (const [name, { value }] of this.#known)
      if (value !== null && value.kind !== 'ambient') found.add(name)
    return found
  }

  /** The slots that a known name stems from. */
  get slots(): Set<number> {
    const homes = [...this.#known.values()].flatMap(({ value, type }) => [value, type])
    return new Set(homes.flatMap((home) => (home === null ? [] : [home.slot])))
  }

  /** The name as it is known. */
  maybe(name: string): KnownName | undefined {
    return this.#known.get(name)
  }

  /** Why this name has no value, as a sentence; null when no cell declares it. */
  maybeLost(name: string): string | null {
    return this.#lost.get(name) ?? null
  }

  /** Declare a name. Returns what it was, if it was a value. */
  declare(name: string, home: Home): Home | null {
    const before = this.#known.get(name)
    this.#lost.delete(name)
    if (home.kind === 'type') {
      const stays = before?.value ?? null
      // The value stays beside the type. Of a class, or what else is both, the type was replaced.
      const value: Home | null = stays?.kind === 'both' ? { ...stays, kind: 'constant' } : stays
      this.#known.set(name, { value, type: home, slot: home.slot })
      return null
    }
    const isAlsoType = home.kind === 'both'
    const type = before?.type?.kind === 'type' ? before.type : null
    this.#known.set(name, { value: home, type: isAlsoType ? home : type, slot: home.slot })
    return before?.value ?? null
  }

  /** A cell gave this name no value, for the reason of that sentence. What an earlier cell declared stays. */
  lose(name: string, why: string): void {
    if (!this.#known.has(name)) this.#lost.set(name, why)
  }

  /** Forget all. */
  clear(): void {
    this.#known.clear()
    this.#lost.clear()
  }
}
