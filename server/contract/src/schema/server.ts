import Type, { type Static } from 'typebox'

/** `GET /api/`: the testbed's parameters. Source: CONFINE's base resource. */
export const Base = Type.Object(
  {
    uri: Type.String(),
    version: Type.String(),
    confine_params: Type.Object({
      debug_ipv6_prefix: Type.String(),
      priv_ipv6_prefix: Type.String(),
    }),
    testbed_params: Type.Object({ mgmt_ipv6_prefix: Type.String() }),
  },
  { $id: 'Base' },
)
export type Base = Static<typeof Base>

/** An image from which the system of a node is installed. Source: CONFINE controller, base images. */
export const BaseImage = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Type.String(),
    architectures: Type.Array(Type.String()),
    image: Type.String(),
    default: Type.Boolean(),
  },
  { $id: 'BaseImage' },
)
export type BaseImage = Static<typeof BaseImage>

/** `GET /health`: the state of what the server needs. 200 when all is well, otherwise 503. */
export const Health = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded'] as const),
    version: Type.String(),
    parts: Type.Record(
      Type.String(),
      Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) }),
    ),
  },
  { $id: 'Health' },
)
export type Health = Static<typeof Health>
