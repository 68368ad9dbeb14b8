import Type, { type Static } from 'typebox'

/** The most hosts in one request, because a request is a line of at most 4 KiB. When more hosts have changed, all are read. */
export const maxReloadedHosts = 200

/**
 * The protocol of the gateway's Unix socket: one JSON document per line, in both directions. Every request is answered once, with its id. Events need no request.
 * Incidents while no client is connected are sent to the next one.
 */
export const GatewayRequest = Type.Object(
  {
    /** `reload`: read the server's tinc folder again and reload tincd. `status`: return the status. */
    do: Type.Enum(['reload', 'status'] as const),
    /** With `reload`: only the files of these hosts have changed. */
    hosts: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: maxReloadedHosts }),
    ),
    id: Type.Optional(Type.Integer()),
  },
  { additionalProperties: false },
)
export type GatewayRequest = Static<typeof GatewayRequest>

/** The status of the gateway. `waiting`: the server's folder is not complete yet. */
export const GatewayStatus = Type.Object({
  state: Type.Enum(['waiting', 'starting', 'running', 'restarting'] as const),
  device: Type.Union([Type.Enum(['tun', 'raw_socket'] as const), Type.Null()]),
  /** The reason why the device is not `tun`, or why tincd is not running. */
  detail: Type.Union([Type.String(), Type.Null()]),
  pid: Type.Union([Type.Integer(), Type.Null()]),
  interface: Type.String(),
  /** The number of hosts that may connect. */
  hosts: Type.Integer(),
  /** The connected hosts, by tinc name. Missing in the answer to a reload of some hosts, because the list is long and events report its changes. */
  hosts_up: Type.Optional(Type.Array(Type.String())),
  /** The host files that were refused, with the reason. */
  rejected: Type.Array(Type.Object({ file: Type.String(), reason: Type.String() })),
})
export type GatewayStatus = Static<typeof GatewayStatus>

export const GatewayAnswer = Type.Union([
  Type.Object({
    answer: Type.Enum(['reload', 'status'] as const),
    id: Type.Optional(Type.Integer()),
    ok: Type.Literal(true),
    status: GatewayStatus,
  }),
  Type.Object({
    answer: Type.Enum(['reload', 'status', 'error'] as const),
    id: Type.Optional(Type.Integer()),
    ok: Type.Literal(false),
    reason: Type.String(),
  }),
])
export type GatewayAnswer = Static<typeof GatewayAnswer>

export const GatewayEvent = Type.Union([
  Type.Object({ event: Type.Literal('ready'), pid: Type.Integer() }),
  Type.Object({ event: Type.Literal('host_up'), name: Type.String(), address: Type.String() }),
  Type.Object({ event: Type.Literal('host_down'), name: Type.String(), address: Type.String() }),
  Type.Object({
    event: Type.Literal('unauthorized_subnet'),
    name: Type.String(),
    address: Type.String(),
    subnet: Type.String(),
  }),
  Type.Object({ event: Type.Literal('unknown_host'), name: Type.String(), address: Type.String() }),
  Type.Object({ event: Type.Literal('exit'), reason: Type.String() }),
])
export type GatewayEvent = Static<typeof GatewayEvent>

/** The file `network.json` that the server writes into its tinc folder, beside `rsa_key.priv` and `hosts/<name>`. */
export const GatewayNetwork = Type.Object(
  {
    name: Type.String({ pattern: '^server_[1-9][0-9]{0,14}$' }),
    prefix: Type.String({ maxLength: 43 }),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
  },
  { additionalProperties: false },
)
export type GatewayNetwork = Static<typeof GatewayNetwork>
