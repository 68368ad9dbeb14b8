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

/** How many characters the names and values of fields take; what is no text counts as eight. */
export function sizeOf(fields: Readonly<Record<string, FieldValue>>): number {
  let characters = 0
  for (const [name, value] of Object.entries(fields))
    characters += name.length + (typeof value === 'string' ? value.length : 8)
  return characters
}
