import type { Node } from './schema/node.ts'

/** A node that runs no slivers, and why. */
export interface NodeHold {
  readonly name: string
  /** Its state, or that it is not lent now. */
  readonly state: string
  /** What it reports; empty when it reports nothing. */
  readonly reason: string
}

/** Describe what keeps all slivers of a node from starting: its state, or its hours. Null: nothing does. */
export function describeHold({ name, state, errors, lending }: Node): NodeHold | null {
  if (state !== 'production')
    return { name, state, reason: errors.map(({ message }) => message).join('; ') }
  if (lending?.is_open !== false) return null
  const reason =
    lending.opens === null
      ? 'its hours never begin'
      : `again on ${lending.opens} (${lending.time_zone})`
  return { name, state: 'not lent at this hour', reason }
}
