import Type, { type Static } from 'typebox'
import { SliceSetState, SliverState } from '../state.ts'
import {
  Counter,
  Description,
  Id,
  InputTime,
  MemberError,
  nullable,
  Sha256,
  Properties,
  Ref,
  ResourceRequest,
  Time,
} from './common.ts'
import { dataInput, dataMembers } from './data.ts'

/** The kinds of interfaces of a sliver. Source: CONFINE's interface types; this version has the two below. */
export const InterfaceType = Type.Enum(['management', 'public6'] as const)
export type InterfaceType = Static<typeof InterfaceType>

/** A wanted interface of a sliver: `nr` 0 to 15, name `^[a-z]+[0-9]*$`. */
export const SliverInterface = Type.Object({
  nr: Type.Integer({ minimum: 0, maximum: 15 }),
  name: Type.String({ pattern: '^[a-z]+[0-9]*$', maxLength: 10 }),
  type: InterfaceType,
})
export type SliverInterface = Static<typeof SliverInterface>

/** Every sliver's interfaces, with CONFINE's main numbers and default names: `mgmt0` (nr 1) and `pub1` (nr 3). */
export const defaultInterfaces: readonly SliverInterface[] = [
  { nr: 1, name: 'mgmt0', type: 'management' },
  { nr: 3, name: 'pub1', type: 'public6' },
]

/** An actual interface on the node. */
export const ActualInterface = Type.Object({
  nr: Type.Integer({ minimum: 0, maximum: 255 }),
  name: Type.String({ maxLength: 15 }),
  type: InterfaceType,
  mac_addr: Type.String({ maxLength: 17 }),
  ipv6_addr: nullable(Type.String({ maxLength: 45 })),
})
export type ActualInterface = Static<typeof ActualInterface>

/** The member that an error of a sliver names when the image of its template is at fault: it is damaged or cannot be unpacked. It is no fault of the node. */
export const faultyImage = '/template/image_sha256'

/** What a node reports of one sliver. */
export const SliverReport = Type.Object({
  id: Type.String({ maxLength: 32 }),
  nr: nullable(Type.Integer({ minimum: 1, maximum: 125 })),
  state: SliverState,
  slice_instance_sn: Counter,
  instance_sn: Counter,
  interfaces: Type.Array(ActualInterface, { maxItems: 16 }),
  ssh_host_key: nullable(
    Type.String({
      maxLength: 1024,
      description: 'the public half, in authorized_keys form: ssh-ed25519 AAAA…',
    }),
  ),
  started_on: nullable(InputTime),
  data_sha256: Type.Optional(
    nullable({
      ...Sha256,
      description:
        'of the data archive that it was made with; null: it was made without one; absent: it is not made, or its agent does not tell',
    }),
  ),
  errors: Type.Array(MemberError, { maxItems: 100 }),
})
export type SliverReport = Static<typeof SliverReport>

/** The container of a slice on one node: its wanted and its actual state. */
export const Sliver = Type.Object(
  {
    uri: Type.String(),
    id: Type.String(),
    slice: Ref,
    node: Type.Object({ uri: Type.String(), id: Type.Integer(), name: Type.String() }),
    description: Description,
    instance_sn: Type.Integer(),
    template: nullable(Ref),
    template_version: Type.Optional(nullable(Type.Integer())),
    ...dataMembers,
    set_state: nullable(SliceSetState),
    effective_set_state: SliceSetState,
    properties: Properties,
    resources: Type.Array(ResourceRequest),
    interfaces: Type.Array(SliverInterface),
    mgmt_net: Type.Object({ backend: Type.Enum(['tinc', 'native'] as const), addr: Type.String() }),
    state: SliverState,
    state_changed_on: nullable(Time),
    actual: nullable(SliverReport),
    errors: Type.Array(MemberError),
  },
  { $id: 'Sliver' },
)
export type Sliver = Static<typeof Sliver>

/** Add a sliver to a slice. */
export const SliverCreate = Type.Object(
  {
    slice: Type.Object({ id: Id }),
    node: Type.Object({ id: Id }),
    description: Type.Optional(Description),
    set_state: Type.Optional(nullable(SliceSetState)),
    properties: Type.Optional(Properties),
    ...dataInput,
  },
  { additionalProperties: false },
)
export type SliverCreate = Static<typeof SliverCreate>

/** Change a sliver. */
export const SliverPatch = Type.Object(
  {
    description: Type.Optional(Description),
    set_state: Type.Optional(nullable(SliceSetState)),
    properties: Type.Optional(Properties),
    ...dataInput,
  },
  { additionalProperties: false },
)
export type SliverPatch = Static<typeof SliverPatch>
