import Type, { type Static } from 'typebox'
import { Description, Id, Name, nullable, Properties, Ref } from './common.ts'

/**
 * A part of the community network. It is a hint for people and programs: what is on the same island reaches each other well. Nodes, servers and hosts name the
 * island that they are on. Source: CONFINE.
 */
export const Island = Type.Object(
  { uri: Type.String(), id: Type.Integer(), name: Name, description: Description },
  { $id: 'Island' },
)
export type Island = Static<typeof Island>

/** Make an island (operators). */
export const IslandCreate = Type.Object(
  { name: Name, description: Type.Optional(Description) },
  { additionalProperties: false },
)
export type IslandCreate = Static<typeof IslandCreate>

/** Change an island (operators). */
export const IslandPatch = Type.Object(
  { name: Type.Optional(Name), description: Type.Optional(Description) },
  { additionalProperties: false },
)
export type IslandPatch = Static<typeof IslandPatch>

/** The island that a node, a server or a host is on; null: none is named. */
export const IslandInput = nullable(Type.Object({ id: Id }))

/** An address of the web: `https://…` or `http://…`, without blanks. */
export const WebUri = Type.String({
  maxLength: 2048,
  pattern: '^https?://[^\\s<>"]+$',
  description: 'an http or https URI',
})

/** Where the community network's own database describes a device. Source: CONFINE. */
export const CommunityEntry = Type.Object(
  {
    app_url: Type.String({
      ...WebUri,
      description: 'the page of the device in the community network’s database',
    }),
    cndb_uri: Type.String({
      ...WebUri,
      description: 'the device in the community network database’s API',
    }),
  },
  { additionalProperties: false },
)
export type CommunityEntry = Static<typeof CommunityEntry>

/** How a device is in the management network. */
export const MgmtNet = Type.Object({
  backend: Type.Enum(['tinc', 'native'] as const),
  addr: Type.String({ description: 'its management address, which follows from its id' }),
})

/** An RSA public key in PEM, as `BEGIN PUBLIC KEY` (X.501) or `BEGIN RSA PUBLIC KEY` (PKCS #1). */
const PublicKeyPem = Type.String({ maxLength: 4096, description: 'an RSA public key in PEM' })

/** The key with which a machine joins the management network; null: it may not join any more. */
export const TincInput = nullable(
  Type.Object({ pubkey: nullable(PublicKeyPem) }, { additionalProperties: false }),
)

/** An API of a server. */
export const ServerApi = Type.Object(
  {
    type: Type.Enum(['registry', 'controller'] as const),
    base_uri: WebUri,
    cert: nullable(Type.String({ maxLength: 16_384, description: 'its certificate in PEM' })),
  },
  { additionalProperties: false },
)
export type ServerApi = Static<typeof ServerApi>

/** An API of a server in a request. Without a certificate it has none. */
const ServerApiInput = Type.Object(
  { ...ServerApi.properties, cert: Type.Optional(ServerApi.properties.cert) },
  { additionalProperties: false },
)

const TincAddress = Type.Object({ addr: Type.String(), port: Type.Integer() })

/**
 * A server of the testbed. The one with the lowest id is the server that answers; it describes its own `api` and `tinc` when it starts. Others are machines of
 * the operators with an address in the management network. Source: CONFINE.
 */
export const Server = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    properties: Properties,
    island: nullable(Ref),
    api: Type.Array(ServerApi),
    mgmt_net: MgmtNet,
    tinc: Type.Object({
      name: Type.String(),
      pubkey: nullable(Type.String()),
      addresses: Type.Array(TincAddress),
    }),
    cn: nullable(CommunityEntry),
  },
  { $id: 'Server' },
)
export type Server = Static<typeof Server>

const serverMembers = {
  description: Type.Optional(Description),
  properties: Type.Optional(Properties),
  island: Type.Optional(IslandInput),
  api: Type.Optional(Type.Array(ServerApiInput, { maxItems: 16 })),
  tinc: Type.Optional(TincInput),
  cn: Type.Optional(nullable(CommunityEntry)),
}

/** Register another server of the testbed (operators). */
export const ServerCreate = Type.Object(
  { name: Name, ...serverMembers },
  { additionalProperties: false },
)
export type ServerCreate = Static<typeof ServerCreate>

/** Change a server (operators). `api` and `tinc` of the server that answers follow from its settings. */
export const ServerPatch = Type.Object(
  { name: Type.Optional(Name), ...serverMembers },
  { additionalProperties: false },
)
export type ServerPatch = Static<typeof ServerPatch>

/**
 * A machine of a user in the management network, such as a researcher's laptop: neither a server nor a node. From it the user reaches nodes and slivers by
 * their management addresses. It is removed with its owner, and may not join while its owner is disabled. Source: CONFINE.
 */
export const Host = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    owner: Ref,
    island: nullable(Ref),
    mgmt_net: MgmtNet,
    tinc: Type.Object({ name: Type.String(), pubkey: nullable(Type.String()) }),
  },
  { $id: 'Host' },
)
export type Host = Static<typeof Host>

const hostMembers = {
  description: Type.Optional(Description),
  island: Type.Optional(IslandInput),
  tinc: Type.Optional(TincInput),
}

/** Register a machine of the user who asks. */
export const HostCreate = Type.Object(
  { name: Name, ...hostMembers },
  { additionalProperties: false },
)
export type HostCreate = Static<typeof HostCreate>

/** Change a host. Only operators may give it to another user. */
export const HostPatch = Type.Object(
  {
    name: Type.Optional(Name),
    ...hostMembers,
    owner: Type.Optional(Type.Object({ id: Id })),
  },
  { additionalProperties: false },
)
export type HostPatch = Static<typeof HostPatch>
