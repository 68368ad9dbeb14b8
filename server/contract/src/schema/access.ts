import Type, { type Static } from 'typebox'
import { Id, InputTime, Name, nullable, Ref, Time } from './common.ts'
import { User } from './party.ts'

/** The role of a token: the most that it allows. An operator may do everything; a researcher may do what their roles in groups allow; a node may act on what belongs to itself. */
export const Role = Type.Enum(['operator', 'researcher', 'node'] as const)
export type Role = Static<typeof Role>

/** How much of its role a token may use: everything, or only reading. */
export const TokenScope = Type.Enum(['all', 'read'] as const)
export type TokenScope = Static<typeof TokenScope>

/**
 * How a token was made: by a user (`personal`), by logging in with a password (`login`), by a page that logged in (`session`; its secret is in a cookie), or by
 * enrolling a node.
 */
export const TokenKind = Type.Enum(['personal', 'login', 'session', 'node'] as const)
export type TokenKind = Static<typeof TokenKind>

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
    kind: TokenKind,
    made_from: nullable(
      Type.String({ description: 'the address that logged in; null: not known' }),
    ),
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
 * Create a token. Without `user` it belongs to the user who sends the request, with the role researcher. Operators create tokens for others. A token expires after a
 * year unless `expires_on` says otherwise (null: never); an operator's does not expire unless it says so.
 */
export const TokenCreate = Type.Object(
  {
    name: Name,
    role: Type.Optional(Type.Enum(['operator', 'researcher'] as const)),
    user: Type.Optional(Name),
    scope: Type.Optional(TokenScope),
    expires_on: Type.Optional(nullable(InputTime)),
  },
  { additionalProperties: false },
)
export type TokenCreate = Static<typeof TokenCreate>

/** A new token. This answer is the only one that contains `secret`. */
export const TokenCreated = Type.Object({ token: Token, secret: Type.String() })
export type TokenCreated = Static<typeof TokenCreated>

/** The identity of the client, as the server sees it. A page in a session sends `csrf_token` as `X-CSRFToken` with each change. */
export const WhoAmI = Type.Object({
  role: Role,
  user: nullable(User),
  node: nullable(Ref),
  csrf_token: Type.Optional(Type.String()),
})
export type WhoAmI = Static<typeof WhoAmI>
