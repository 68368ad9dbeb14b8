import type { FieldValue } from '@community-lab/contract'

/** A sample and its measurement. `timeUs` is the time on the agent's clock, in microseconds since the epoch. */
export interface PlacedSample {
  readonly seq: number
  readonly timeUs: number
  readonly scope: string
  readonly name: string
  /** The sliver whose program wrote the sample; null for samples of the node itself. */
  readonly sliver: string | null
  readonly fields: Readonly<Record<string, FieldValue>>
}

/** Return the number of characters in the names and values of fields. A value that is not a text counts as eight. */
export function sizeOf(fields: Readonly<Record<string, FieldValue>>): number {
  let characters = 0
  for (const [name, value] of Object.entries(fields))
    characters += name.length + (typeof value === 'string' ? value.length : 8)
  return characters
}
