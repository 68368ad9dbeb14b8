import {
  LabError,
  type NodeReportedState,
  type NodeSetState,
  type NodeState,
} from '@community-lab/contract'

/**
 * Check a manual change of a node's set_state. Only the server sets and ends `debug` (a node without keys is in debug). `production` can be set only
 * from `safe`. `failure` can be set from both, and be left only to `safe`. Source: CONFINE registry, node state rules (2.1).
 *
 * @throws {@link LabError} LAB_NODE_STATE_REFUSED.
 */
export function checkNodeSetState(node: string, from: NodeSetState, to: NodeSetState): void {
  if (from === to) return
  const refuse = (reason: string) =>
    new LabError('LAB_NODE_STATE_REFUSED', { node, from, to, reason })
  if (from === 'debug')
    throw refuse('it is not enrolled yet; make an enrolment token and start its agent')
  if (to === 'debug') throw refuse('debug is entered by revoking the node')
  if (from === 'failure' && to === 'production') throw refuse('set it to safe first')
}

/** What the server knows of a node. */
export interface NodeSigns {
  /** The state in its last report; null: it has never reported. */
  readonly reported: NodeReportedState | null
  /** Whether it has made contact within the time limit. */
  readonly isInContact: boolean
  /** Whether its agent has polled or reported within {@link crashedAfterMs}. */
  readonly isWorking: boolean
}

/** Return the state of a node as the server knows it. Source: CONFINE controller, app `state`. */
export function nodeStateOf({ reported, isInContact, isWorking }: NodeSigns): NodeState {
  if (reported === null) return 'unknown'
  if (!isInContact) return 'offline'
  return isWorking || reported === 'failure' ? reported : 'crashed'
}
