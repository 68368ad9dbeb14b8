import Type, { type Static } from 'typebox'

/** What is wanted of a slice or sliver; ordered: register < deploy < start. Source: CONFINE. */
export const sliceSetStates = ['register', 'deploy', 'start'] as const
export const SliceSetState = Type.Enum(sliceSetStates)
export type SliceSetState = Static<typeof SliceSetState>

/** What is wanted of a node. `debug` is entered and left by the server alone. Source: CONFINE. */
export const nodeSetStates = ['debug', 'safe', 'production', 'failure'] as const
export const NodeSetState = Type.Enum(nodeSetStates)
export type NodeSetState = Static<typeof NodeSetState>

/**
 * What a node is, as the server knows it: its own report while it is heard of, else `offline` (no contact within the time allowed) or
 * `unknown` (never reported).
 */
export const nodeStates = ['unknown', 'offline', 'debug', 'safe', 'production', 'failure'] as const
export const NodeState = Type.Enum(nodeStates)
export type NodeState = Static<typeof NodeState>

/** What a node says of itself. */
export const NodeReportedState = Type.Enum(['debug', 'safe', 'production', 'failure'] as const)
export type NodeReportedState = Static<typeof NodeReportedState>

/** What a sliver is on its node. `unknown`: its node has not spoken of it yet. Source: CONFINE node API. */
export const sliverStates = [
  'unknown',
  'registered',
  'allocated',
  'deployed',
  'started',
  'fail_allocate',
  'fail_deploy',
  'fail_start',
] as const
export const SliverState = Type.Enum(sliverStates)
export type SliverState = Static<typeof SliverState>

/**
 * The state wanted of one sliver: the lower of its slice's and its own (or, where it has none, the slice's default for slivers).
 *
 * Source: CONFINE, min(slice.set_state, sliver.set_state or sliver_defaults.set_state).
 */
export function effectiveSetState(
  slice: SliceSetState,
  sliver: SliceSetState | null,
  sliverDefault: SliceSetState,
): SliceSetState {
  const own = sliver ?? sliverDefault
  return sliceSetStates.indexOf(slice) < sliceSetStates.indexOf(own) ? slice : own
}

/** Tell whether a sliver's last step failed. */
export function isFailed(state: SliverState): boolean {
  return state.startsWith('fail_')
}

/** The state a sliver has reached when what is wanted of it is done. */
export function settledState(wanted: SliceSetState): SliverState {
  return wanted === 'start' ? 'started' : wanted === 'deploy' ? 'deployed' : 'registered'
}

/** The id of a slice's sliver on a node, `slice@node`. Source: CONFINE. */
export function sliverId(sliceId: number, nodeId: number): string {
  return `${sliceId}@${nodeId}`
}

/** Read a sliver's id. Returns `null` when it is malformed, or larger than any id of a slice or node. */
export function parseSliverId(
  id: string,
): { readonly sliceId: number; readonly nodeId: number } | null {
  const match = /^([1-9][0-9]{0,8})@([1-9][0-9]{0,4})$/u.exec(id)
  return match ? { sliceId: Number(match[1]), nodeId: Number(match[2]) } : null
}
