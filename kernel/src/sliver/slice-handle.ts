import type { Sliver } from './sliver.ts'

/** A sliver, or the name of its node. */
export type SliverOrNode = Sliver | string | { readonly name: string }

/** What can be asked of a slice by what works with its slivers; `Slice` is one. */
export interface SliceHandle {
  readonly id: number
  readonly name: string
  readonly slivers: readonly Sliver[]
  /** The sliver on a node. */
  sliver(which: SliverOrNode): Sliver
}
