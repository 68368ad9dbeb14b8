import Type, { type Static } from 'typebox'
import { NodeSetState, SliceSetState } from '../state.ts'
import { nullable, ResourceRequest, Sha256 } from './common.ts'
import { Lends } from './lends.ts'
import { Arch } from './node.ts'
import { RunTarget } from './run.ts'
import { SliverInterface } from './sliver.ts'

/** The target state of one sliver, with everything that its agent needs to reach it. */
export const SliverTarget = Type.Object({
  id: Type.String(),
  slice_id: Type.Integer(),
  slice_name: Type.String(),
  set_state: SliceSetState,
  slice_instance_sn: Type.Integer(),
  instance_sn: Type.Integer(),
  template: nullable(
    Type.Object({
      id: Type.Integer(),
      name: Type.String(),
      type: Type.String(),
      node_archs: Type.Array(Arch),
      is_active: Type.Boolean(),
      image_uri: nullable(Type.String({ description: 'a path on the server' })),
      image_sha256: nullable(Type.String()),
    }),
  ),
  /** Its data archive; null: none. */
  data: Type.Optional(
    nullable(
      Type.Object({
        uri: Type.String({ description: 'a path on the server' }),
        sha256: Sha256,
        size_bytes: Type.Integer({ minimum: 0 }),
      }),
    ),
  ),
  resources: Type.Array(ResourceRequest),
  interfaces: Type.Array(SliverInterface),
  ssh_authorized_keys: Type.Array(Type.String()),
})
export type SliverTarget = Static<typeof SliverTarget>

/** The target state of a node: one document with an ETag, which its agent reads repeatedly. */
export const NodeTarget = Type.Object(
  {
    node: Type.Object({
      id: Type.Integer(),
      name: Type.String(),
      set_state: NodeSetState,
      boot_sn: Type.Integer(),
      arch: Type.Optional(Arch),
      lends: Type.Optional(Lends),
    }),
    testbed: Type.Object({ mgmt_ipv6_prefix: Type.String(), sliver_mac_prefix: Type.Integer() }),
    slivers: Type.Array(SliverTarget),
    /** The runs of its slivers that have not ended. */
    runs: Type.Optional(Type.Array(RunTarget)),
  },
  { $id: 'NodeTarget' },
)
export type NodeTarget = Static<typeof NodeTarget>
