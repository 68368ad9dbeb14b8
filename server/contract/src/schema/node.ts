import Type, { type Static } from 'typebox'
import { archs } from '../arch.ts'
import { NodeReportedState, NodeSetState, NodeState } from '../state.ts'
import {
  Counter,
  Description,
  Id,
  MemberError,
  Name,
  nullable,
  Properties,
  Ref,
  ResourceName,
  SliverRef,
  Time,
} from './common.ts'
import { CommunityEntry, IslandInput, MgmtNet } from './place.ts'
import { Lends, LendsPatch, NodeLending } from './lends.ts'
import { RunReport } from './run.ts'
import { SliverReport } from './sliver.ts'

export const Arch = Type.Enum(archs)
export type Arch = Static<typeof Arch>

/** A resource of a node. `total` is what its owner lends of it, and `avail` what the server can still allocate: the total less the requests of its slivers. */
export const NodeResource = Type.Object({
  name: ResourceName,
  unit: Type.String(),
  total: Type.Integer(),
  max_req: Type.Integer(),
  dflt_req: Type.Integer(),
  avail: Type.Integer(),
})
export type NodeResource = Static<typeof NodeResource>

/** What a node can and cannot do, as its agent's probes have found. */
export const Capabilities = Type.Object({
  runtime: Type.String({
    maxLength: 64,
    description: 'the OCI runtime in use: crun, runc or none',
  }),
  limits: Type.Boolean({ description: 'memory, process and CPU limits hold (a cgroup is usable)' }),
  userns: Type.Boolean({ description: 'slivers run in a user namespace of their own' }),
  lacks: Type.Array(Type.String({ maxLength: 1024 }), {
    maxItems: 100,
    description: 'what this node cannot do, a sentence each',
  }),
})
export type Capabilities = Static<typeof Capabilities>

/** A computer attached to the community network. */
export const Node = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    group: Ref,
    arch: Arch,
    properties: Properties,
    set_state: NodeSetState,
    boot_sn: Type.Integer(),
    island: nullable(Ref),
    cn: nullable(CommunityEntry),
    mgmt_net: MgmtNet,
    tinc: Type.Object({ name: Type.String(), pubkey: nullable(Type.String()) }),
    resources: Type.Array(NodeResource),
    lends: Type.Optional(Lends),
    lending: Type.Optional(nullable(NodeLending)),
    not_ready: Type.Optional(
      nullable(
        Type.Object(
          { since: Time, reason: Type.String() },
          {
            description: 'it failed to make slivers of several slices in a row, and is not offered',
          },
        ),
      ),
    ),
    slivers: Type.Array(SliverRef),
    state: NodeState,
    state_changed_on: nullable(Time),
    last_seen_on: nullable(Time),
    soft_version: nullable(Type.String()),
    public_prefix: nullable(
      Type.String({ description: "the node's /64 in the community network" }),
    ),
    capabilities: nullable(Capabilities),
    errors: Type.Array(MemberError),
  },
  { $id: 'Node' },
)
export type Node = Static<typeof Node>

/** Register a node of a group; `group` may be left out by who looks after the nodes of one group alone. */
export const NodeCreate = Type.Object(
  {
    name: Name,
    group: Type.Optional(Type.Object({ id: Id })),
    description: Type.Optional(Description),
    arch: Type.Optional(Arch),
    properties: Type.Optional(Properties),
    island: Type.Optional(IslandInput),
    cn: Type.Optional(nullable(CommunityEntry)),
  },
  { additionalProperties: false },
)
export type NodeCreate = Static<typeof NodeCreate>

/** Change a node. */
export const NodePatch = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(Description),
    properties: Type.Optional(Properties),
    island: Type.Optional(IslandInput),
    cn: Type.Optional(nullable(CommunityEntry)),
    set_state: Type.Optional(NodeSetState),
    lends: Type.Optional(LendsPatch),
  },
  { additionalProperties: false },
)
export type NodePatch = Static<typeof NodePatch>

/** An amount of a resource, in its unit. */
const Amount = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 })

/**
 * What an agent reports: the complete actual state of its node and of every sliver on it. A server ignores members and kinds of things that only newer agents
 * know.
 */
export const NodeReport = Type.Object(
  {
    state: NodeReportedState,
    soft_version: Type.String({ maxLength: 64 }),
    arch: Arch,
    boot_sn: Counter,
    public_prefix: nullable(Type.String({ maxLength: 64 })),
    capabilities: Capabilities,
    resources: Type.Array(
      Type.Object({
        name: ResourceName,
        total: Amount,
        max_req: Amount,
        dflt_req: Amount,
      }),
      { maxItems: 16 },
    ),
    lending: Type.Optional(NodeLending),
    errors: Type.Array(MemberError, { maxItems: 100 }),
    slivers: Type.Array(SliverReport, { maxItems: 200 }),
    /** The runs in its target, and others that have not ended. */
    runs: Type.Optional(Type.Array(RunReport, { maxItems: 1000 })),
  },
  { $id: 'NodeReport' },
)
export type NodeReport = Static<typeof NodeReport>
