import Type, { type Static } from 'typebox'
import { Description, Id, InputTime, Name, nullable, Ref, Time } from './common.ts'

/** The role of a token. An operator may do everything; a researcher may act on what belongs to their group; a node may act on what belongs to itself. */
export const Role = Type.Enum(['operator', 'researcher', 'node'] as const)
export type Role = Static<typeof Role>

/** How much of its role a token may use: everything, or only reading. */
export const TokenScope = Type.Enum(['all', 'read'] as const)
export type TokenScope = Static<typeof TokenScope>

/** A group owns nodes and slices. */
export const Group = Type.Object(
  { uri: Type.String(), id: Type.Integer(), name: Name, description: Description },
  { $id: 'Group' },
)
export type Group = Static<typeof Group>

/** A person. `auth_tokens` are SSH public keys, whose owners can log in to the slivers of the group. */
export const User = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    group: Ref,
    auth_tokens: Type.Array(Type.String()),
  },
  { $id: 'User' },
)
export type User = Static<typeof User>

/** One SSH public key, `ssh-ed25519 AAAA… comment`, on one line. */
export const AuthToken = Type.String({
  maxLength: 8192,
  pattern: '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [ -~]*)?$',
})

/** Add an SSH public key to the user who sends the request. Adding it again changes nothing. */
export const AuthTokenAdd = Type.Object({ auth_token: AuthToken }, { additionalProperties: false })
export type AuthTokenAdd = Static<typeof AuthTokenAdd>

/** Remove an SSH public key from the user who sends the request, or from `user` (operators). Removing it again changes nothing. */
export const AuthTokenRemove = Type.Object(
  { auth_token: AuthToken, user: Type.Optional(Id) },
  { additionalProperties: false },
)
export type AuthTokenRemove = Static<typeof AuthTokenRemove>

/** A token as the server lists it, without its secret. */
export const Token = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    role: Role,
    scope: TokenScope,
    user: nullable(Ref),
    node: nullable(Ref),
    created_on: Time,
    expires_on: nullable(Time),
    last_used_on: nullable(Time),
  },
  { $id: 'Token' },
)
export type Token = Static<typeof Token>

/**
 * Create a token for an operator or a researcher (operators). `user` is created when no user has that name. A researcher's token expires after a year unless
 * `expires_on` says otherwise; null: never.
 */
export const TokenCreate = Type.Object(
  {
    name: Name,
    role: Type.Enum(['operator', 'researcher'] as const),
    user: Name,
    group: Type.Optional(Name),
    scope: Type.Optional(TokenScope),
    expires_on: Type.Optional(nullable(InputTime)),
  },
  { additionalProperties: false },
)
export type TokenCreate = Static<typeof TokenCreate>

/** A new token. This answer is the only one that contains `secret`. */
export const TokenCreated = Type.Object({ token: Token, secret: Type.String() })
export type TokenCreated = Static<typeof TokenCreated>

/** The identity of the client, as the server sees it. */
export const WhoAmI = Type.Object({ role: Role, user: nullable(User), node: nullable(Ref) })
export type WhoAmI = Static<typeof WhoAmI>
