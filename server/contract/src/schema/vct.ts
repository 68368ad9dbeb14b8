import Type, { type Static } from 'typebox'

/** The most that the clock of a virtual node may be wrong, in seconds: thirty years. */
export const maxClockAheadS = 1e9
/** The most that it may drift, in parts per million: a little less than what Linux itself corrects. */
export const maxClockDriftPpm = 400

/** A link of the virtual community network. */
export const VctLink = Type.Object({
  a: Type.String(),
  b: Type.String(),
  rate_mbps: Type.Number(),
  delay_ms: Type.Number({ description: 'one way' }),
  loss_pct: Type.Number(),
  state: Type.Enum(['up', 'cut'] as const),
})
export type VctLink = Static<typeof VctLink>

/**
 * The clock of a virtual node: how far its wall clock is ahead of this machine's, in seconds, and how much faster its clocks run, in parts per million. Programs in slivers see this
 * machine's clock: Linux has no wall clock for some processes alone.
 */
export const VctClock = Type.Object({
  ahead_s: Type.Number({ minimum: -maxClockAheadS, maximum: maxClockAheadS }),
  drift_ppm: Type.Number({ minimum: -maxClockDriftPpm, maximum: maxClockDriftPpm }),
})
export type VctClock = Static<typeof VctClock>

/** A virtual node. `power` off: its agent, tincd, router and slivers have ended, and its data folder is kept. `cut`: all its links are down. */
export const VctNode = Type.Object({
  name: Type.String(),
  id: Type.Integer(),
  power: Type.Enum(['on', 'off'] as const),
  links: Type.Enum(['up', 'cut'] as const),
  agent_pid: Type.Union([Type.Integer(), Type.Null()]),
  community_addr: Type.String(),
  mgmt_addr: Type.String(),
  clock: Type.Optional(VctClock),
})
export type VctNode = Static<typeof VctNode>

/** `GET /status` on the virtual testbed's control socket. */
export const VctStatus = Type.Object({
  state: Type.Enum(['starting', 'running', 'stopping'] as const),
  mode: Type.Enum(['root', 'rootless'] as const),
  started_on: Type.String({ format: 'date-time' }),
  server_socket: Type.String(),
  server_url: Type.Union([Type.String(), Type.Null()]),
  server_pid: Type.Union([Type.Integer(), Type.Null()]),
  shaping: Type.Enum(['netem', 'relay'] as const),
  lacks: Type.Array(Type.String(), { description: 'what this host cannot do, a sentence each' }),
  nodes: Type.Array(VctNode),
  links: Type.Array(VctLink),
})
export type VctStatus = Static<typeof VctStatus>

/**
 * Actions on a virtual node: POST /nodes/{name}/{action}. `stop` powers it off; `cut` takes its links down; `start` undoes both; `reboot` ends all its
 * processes and starts it again with another boot id; `kill-agent` kills the agent with SIGKILL and starts it again.
 */
export const vctNodeActions = ['stop', 'cut', 'start', 'reboot', 'kill-agent'] as const
export type VctNodeAction = (typeof vctNodeActions)[number]

/**
 * Set the clock of a virtual node: POST /nodes/{name}/clock/{ahead_s}/{drift_ppm}. The wall clock is set at once. The drift is that from the node's next start on.
 */
export function vctClockPath(
  name: string,
  { ahead_s: aheadS, drift_ppm: driftPpm }: VctClock,
): string {
  return `/nodes/${encodeURIComponent(name)}/clock/${aheadS}/${driftPpm}`
}

/** Actions on a link: POST /links/{a}/{b}/{action}. */
export const vctLinkActions = ['cut', 'restore'] as const
export type VctLinkAction = (typeof vctLinkActions)[number]

/** Actions on the virtual testbed's server: POST /server/{action}. `kill` is SIGKILL. */
export const vctServerActions = ['kill', 'stop', 'start'] as const
export type VctServerAction = (typeof vctServerActions)[number]
