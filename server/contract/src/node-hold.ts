/** A node that runs no slivers, and why. */
export interface NodeHold {
  readonly name: string
  /** Its state, or that it is not lent now. */
  readonly state: string
  /** What it reports; empty when it reports nothing. */
  readonly reason: string
}

/** What of a node tells whether it holds its slivers. The schema of nodes is not used here, because errors are described with {@link NodeHold}. */
interface HoldingNode {
  readonly name: string
  readonly state: string
  readonly errors: readonly { readonly message: string }[]
  readonly lending?: {
    readonly is_open: boolean
    readonly opens: string | null
    readonly time_zone: string
  } | null
}

/** Describe what keeps all slivers of a node from starting: its state, or its hours. Null: nothing does. */
export function describeHold({ name, state, errors, lending }: HoldingNode): NodeHold | null {
  if (state !== 'production')
    return { name, state, reason: errors.map(({ message }) => message).join('; ') }
  if (lending?.is_open !== false) return null
  const reason =
    lending.opens === null
      ? 'its hours never begin'
      : `again on ${lending.opens} (${lending.time_zone})`
  return { name, state: 'not lent at this hour', reason }
}
