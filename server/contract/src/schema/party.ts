import Type, { type Static } from 'typebox'
import { Counter, Description, Id, Name, nullable, Ref, Time } from './common.ts'
import { NotificationChoice, NotificationChoicePatch } from './notification.ts'
import { Quotas, QuotasPatch } from './quota.ts'

/** What a member may do in a group. A group admin may all of it; a member with none of these is a researcher, who reads what the group's slices measure. */
const roleFlags = {
  is_group_admin: Type.Boolean({ description: 'looks after the group: its members and requests' }),
  is_node_admin: Type.Boolean({ description: 'looks after the group’s nodes' }),
  is_slice_admin: Type.Boolean({ description: 'makes and changes the group’s slices' }),
}

/** A member of a group, as the group shows it. */
export const UserRole = Type.Object({ user: Ref, ...roleFlags })
export type UserRole = Static<typeof UserRole>

/** A membership, as the user shows it. */
export const GroupRole = Type.Object({ group: Ref, ...roleFlags })
export type GroupRole = Static<typeof GroupRole>

/** A person. `auth_tokens` are SSH public keys. They, `email`, `has_password` and `notifications` are shown to the user and to operators alone. */
export const User = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    is_active: Type.Boolean({ description: 'false: the user’s tokens and SSH keys let nobody in' }),
    is_superuser: Type.Boolean({ description: 'an operator of the testbed' }),
    date_joined: Time,
    group_roles: Type.Array(GroupRole),
    auth_tokens: Type.Optional(Type.Array(Type.String())),
    email: Type.Optional(nullable(Type.String())),
    has_password: Type.Optional(Type.Boolean()),
    notifications: Type.Optional(NotificationChoice),
  },
  { $id: 'User' },
)
export type User = Static<typeof User>

/** Make a user (operators). */
export const UserCreate = Type.Object(
  { name: Name, description: Type.Optional(Description) },
  { additionalProperties: false },
)
export type UserCreate = Static<typeof UserCreate>

/** Change a user. All but `description` and `notifications` is for operators. */
export const UserPatch = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(Description),
    is_active: Type.Optional(Type.Boolean()),
    is_superuser: Type.Optional(Type.Boolean()),
    notifications: Type.Optional(NotificationChoicePatch),
  },
  { additionalProperties: false },
)
export type UserPatch = Static<typeof UserPatch>

/** A group of people. It owns nodes and slices, as far as operators allow it. */
export const Group = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    allow_nodes: Type.Boolean({ description: 'its nodes may be in production' }),
    allow_slices: Type.Boolean({ description: 'it may make slices and start them' }),
    agreement: nullable(Type.Object({ uri: Type.String(), id: Type.Integer(), accepted_on: Time })),
    user_roles: Type.Array(UserRole),
    nodes: Type.Array(Ref),
    slices: Type.Array(Ref),
    quotas: Type.Object(Quotas.properties, { description: 'the most that its slices may take' }),
    usage: Type.Object(Quotas.properties, { description: 'what its slices take of it' }),
  },
  { $id: 'Group' },
)
export type Group = Static<typeof Group>

/** Make a group; who asks is its first group admin. `agreement` is the number of the newest agreement, which the group accepts by it. */
export const GroupCreate = Type.Object(
  { name: Name, description: Type.Optional(Description), agreement: Type.Optional(Id) },
  { additionalProperties: false },
)
export type GroupCreate = Static<typeof GroupCreate>

/** A member and what they may do; what is left out is false. */
const UserRoleInput = Type.Object(
  {
    user: Type.Object({ id: Id }),
    is_group_admin: Type.Optional(Type.Boolean()),
    is_node_admin: Type.Optional(Type.Boolean()),
    is_slice_admin: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type UserRoleInput = Static<typeof UserRoleInput>

/**
 * Change a group. `user_roles` is the whole list of members: who is not in it is a member no more. A new member is let in by accepting their request;
 * operators may add anybody. `allow_nodes`, `allow_slices` and `quotas` are for operators.
 */
export const GroupPatch = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(Description),
    allow_nodes: Type.Optional(Type.Boolean()),
    allow_slices: Type.Optional(Type.Boolean()),
    quotas: Type.Optional(QuotasPatch),
    user_roles: Type.Optional(Type.Array(UserRoleInput, { maxItems: 1000 })),
  },
  { additionalProperties: false },
)
export type GroupPatch = Static<typeof GroupPatch>

/** A version of the testbed's agreement. It is never changed; its id is its number. */
export const Agreement = Type.Object(
  { uri: Type.String(), id: Type.Integer(), text: Type.String(), published_on: Time },
  { $id: 'Agreement' },
)
export type Agreement = Static<typeof Agreement>

/** Publish the next version of the agreement (operators). */
export const AgreementCreate = Type.Object(
  { text: Type.String({ minLength: 1, maxLength: 100_000 }) },
  { additionalProperties: false },
)
export type AgreementCreate = Static<typeof AgreementCreate>

/** Accept the newest agreement for a group, by its number. */
export const AgreementAccept = Type.Object({ agreement: Counter }, { additionalProperties: false })
export type AgreementAccept = Static<typeof AgreementAccept>

/** What is asked for: to be a member of a group, or that a group may have nodes or slices. */
export const RequestKind = Type.Enum(['join', 'allow_nodes', 'allow_slices'] as const)
export type RequestKind = Static<typeof RequestKind>

/** Something that a user asks of a group's admins (`join`) or of the operators, for a group. */
export const GroupRequest = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    kind: RequestKind,
    group: Ref,
    user: Ref,
    message: Description,
    state: Type.Enum(['pending', 'accepted', 'refused'] as const),
    created_on: Time,
    decided_on: nullable(Time),
    decided_by: nullable(Ref),
  },
  { $id: 'GroupRequest' },
)
export type GroupRequest = Static<typeof GroupRequest>

/** Ask for something. */
export const GroupRequestCreate = Type.Object(
  { kind: RequestKind, group: Type.Object({ id: Id }), message: Type.Optional(Description) },
  { additionalProperties: false },
)
export type GroupRequestCreate = Static<typeof GroupRequestCreate>

/** Accept a request. The flags are what a new member may do; without any the member is a researcher. */
export const GroupRequestAccept = Type.Object(
  {
    is_group_admin: Type.Optional(Type.Boolean()),
    is_node_admin: Type.Optional(Type.Boolean()),
    is_slice_admin: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type GroupRequestAccept = Static<typeof GroupRequestAccept>
