import Type, { type Static } from 'typebox'

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

/** A virtual node. `power` off: its agent, tincd, router and slivers have ended, and its data folder is kept. `cut`: all its links are down. */
export const VctNode = Type.Object({
  name: Type.String(),
  id: Type.Integer(),
  power: Type.Enum(['on', 'off'] as const),
  links: Type.Enum(['up', 'cut'] as const),
  agent_pid: Type.Union([Type.Integer(), Type.Null()]),
  community_addr: Type.String(),
  mgmt_addr: Type.String(),
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

/** Actions on a link: POST /links/{a}/{b}/{action}. */
export const vctLinkActions = ['cut', 'restore'] as const
export type VctLinkAction = (typeof vctLinkActions)[number]

/** Actions on the virtual testbed's server: POST /server/{action}. `kill` is SIGKILL. */
export const vctServerActions = ['kill', 'stop', 'start'] as const
export type VctServerAction = (typeof vctServerActions)[number]
