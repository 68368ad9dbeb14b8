import type { Sliver } from './sliver.ts'

/** A sliver, its node, or the name of its node. */
export type SliverOrNode = Sliver | string | { readonly name: string }

/** The part of a slice that measurements and runs use. `Slice` implements it. */
export interface SliceHandle {
  readonly id: number
  readonly name: string
  readonly slivers: readonly Sliver[]
  /** Return the sliver on a node. */
  sliver(which: SliverOrNode): Sliver
}
