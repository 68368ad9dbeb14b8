import type { FieldValue } from '@community-lab/contract'

/** A sample and the measurement it belongs to. `timeUs`: the agent's clock, microseconds since the epoch. */
export interface PlacedSample {
  readonly seq: number
  readonly timeUs: number
  readonly scope: string
  readonly name: string
  /** The sliver whose program wrote it; null for the node's own. */
  readonly sliver: string | null
  readonly fields: Readonly<Record<string, FieldValue>>
}
