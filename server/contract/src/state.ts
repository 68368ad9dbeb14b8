import Type, { type Static } from 'typebox'

/** The wanted state of a slice or sliver, in order: register < deploy < start. Source: CONFINE. */
export const sliceSetStates = ['register', 'deploy', 'start'] as const
export const SliceSetState = Type.Enum(sliceSetStates)
export type SliceSetState = Static<typeof SliceSetState>

/** The wanted state of a node. Only the server sets and ends `debug`. Source: CONFINE. */
export const nodeSetStates = ['debug', 'safe', 'production', 'failure'] as const
export const NodeSetState = Type.Enum(nodeSetStates)
export type NodeSetState = Static<typeof NodeSetState>

/**
 * The state of a node as the server knows it: the node's own report while there is contact; otherwise `offline` (no contact within the time limit), `crashed`
 * (connected, but its agent has neither polled nor reported for {@link crashedAfterMs}) or `unknown` (never reported). Source: CONFINE controller, app `state`.
 */
export const nodeStates = [
  'unknown',
  'offline',
  'crashed',
  'debug',
  'safe',
  'production',
  'failure',
] as const
export const NodeState = Type.Enum(nodeStates)
export type NodeState = Static<typeof NodeState>

/**
 * The state of a node in the past. `nodata`: the server was not running, or has no record of that time. Source: CONFINE controller, app `state`.
 */
export const NodeHistoryState = Type.Enum([...nodeStates, 'nodata'] as const)
export type NodeHistoryState = Static<typeof NodeHistoryState>

/**
 * How long a connected node may neither poll nor report before it counts as crashed, in milliseconds. Source: CONFINE controller, app `state`: 2 h without a
 * pull.
 */
export const crashedAfterMs = 2 * 3600 * 1000

/** The state that a node reports. */
export const NodeReportedState = Type.Enum(['debug', 'safe', 'production', 'failure'] as const)
export type NodeReportedState = Static<typeof NodeReportedState>

/** The state of a sliver on its node. `unknown`: its node has not reported it yet. Source: CONFINE node API. */
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
 * The state of a sliver now or in the past. `offline`, `crashed`: that of its node, because nothing is known of the sliver meanwhile. `nodata`: the server was
 * not running, or has no record of that time.
 */
export const SliverHistoryState = Type.Enum([
  ...sliverStates,
  'offline',
  'crashed',
  'nodata',
] as const)
export type SliverHistoryState = Static<typeof SliverHistoryState>

/**
 * Return the wanted state of one sliver: the lower of the slice's state and its own (or, if it has none, the slice's default for slivers).
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

/** Return the state of a sliver that has reached its wanted state. */
export function settledState(wanted: SliceSetState): SliverState {
  return wanted === 'start' ? 'started' : wanted === 'deploy' ? 'deployed' : 'registered'
}

/** The id of a slice's sliver on a node, `slice@node`. Source: CONFINE. */
export function sliverId(sliceId: number, nodeId: number): string {
  return `${sliceId}@${nodeId}`
}

/** Parse the id of a sliver. Returns `null` when it is malformed, or larger than any id of a slice or node. */
export function parseSliverId(
  id: string,
): { readonly sliceId: number; readonly nodeId: number } | null {
  const match = /^([1-9][0-9]{0,8})@([1-9][0-9]{0,4})$/u.exec(id)
  return match ? { sliceId: Number(match[1]), nodeId: Number(match[2]) } : null
}
