import Type, { type Static } from 'typebox'
import { Name, nullable, Ref, Time } from './common.ts'
import { TokenScope, WhoAmI } from './access.ts'

/** An e-mail address. Its length is that of a mailbox. Source: RFC 5321, section 4.5.3.1. The pattern refuses what no mail server would take, and line breaks. */
export const Email = Type.String({
  maxLength: 254,
  pattern: '^[^\\s@<>,;:"()\\[\\]\\\\]{1,64}@[A-Za-z0-9.-]+\\.?[A-Za-z0-9-]+$',
  description: 'shown to the user and to operators alone',
})

/** A password in a request. Its rules are in the server; the bound only limits what is hashed. */
export const Password = Type.String({ minLength: 1, maxLength: 1024 })

/** Log in with a user's name or e-mail address, and get a token. Source: CONFINE, `api-token-auth/`. `name` and `scope` are the token's. */
export const LogIn = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 254 }),
  password: Password,
  name: Type.Optional(Name),
  scope: Type.Optional(TokenScope),
})
export type LogIn = Static<typeof LogIn>

/** The token of who has logged in. This answer is the only one that contains it. */
export const LoggedIn = Type.Object({ token: Type.String() })
export type LoggedIn = Static<typeof LoggedIn>

/** Log in as a page: the answer sets a cookie. */
export const SessionLogIn = Type.Object(
  { username: Type.String({ minLength: 1, maxLength: 254 }), password: Password },
  { additionalProperties: false },
)
export type SessionLogIn = Static<typeof SessionLogIn>

/** Who has logged in, and the value that a page of this session sends as `X-CSRFToken` with each change. */
export const SessionBegun = Type.Object({ ...WhoAmI.properties, csrf_token: Type.String() })
export type SessionBegun = Static<typeof SessionBegun>

/**
 * Change a user's password or e-mail address. A user who has a password gives it as `current_password`; operators need none to change those of others. A new password ends
 * the user's sessions and log-ins, except the one that asks; `end_tokens` ends all other tokens, too. Source: CONFINE, `ctl/change-auth/`.
 */
export const ChangeAuth = Type.Object(
  {
    password: Type.Optional(Password),
    email: Type.Optional(nullable(Email)),
    current_password: Type.Optional(Password),
    end_tokens: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type ChangeAuth = Static<typeof ChangeAuth>

/** What was changed, in words, and how many of the user's tokens go on. */
export const AuthChanged = Type.Object({
  detail: Type.String(),
  tokens_left: Type.Integer({ description: 'how many of the user’s own tokens are still valid' }),
  unconfirmed_email: Type.Optional(
    Type.String({ description: 'the address that becomes the user’s by the link of a mail to it' }),
  ),
})
export type AuthChanged = Static<typeof AuthChanged>

/** How a user is invited. `hand_over`: the answer has the secret, also where it could go by e-mail. */
export const Invite = Type.Object(
  { hand_over: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)
export type Invite = Static<typeof Invite>

/** A one-time secret by which a user sets a password. It was sent to the user's e-mail address (`sent_to`), or it is here, to be handed over, and nowhere else. */
export const Invitation = Type.Object({
  secret: Type.Optional(Type.String()),
  sent_to: Type.Optional(Type.String()),
  expires_on: Time,
})
export type Invitation = Static<typeof Invitation>

/** Ask for a mail by which a user sets a new password. `username` is a name or an e-mail address. */
export const ResetPassword = Type.Object(
  { username: Type.String({ minLength: 1, maxLength: 254 }) },
  { additionalProperties: false },
)
export type ResetPassword = Static<typeof ResetPassword>

/** The answer to {@link ResetPassword}. It is the same whether there is such a user or not. */
export const ResetAsked = Type.Object({ detail: Type.String() })
export type ResetAsked = Static<typeof ResetAsked>

/** Confirm an e-mail address by the secret of a mail to it. */
export const ConfirmEmail = Type.Object(
  { secret: Type.String({ pattern: '^[A-Za-z0-9_-]{20,200}$' }) },
  { additionalProperties: false },
)
export type ConfirmEmail = Static<typeof ConfirmEmail>

/** Whose e-mail address it is now. */
export const EmailConfirmed = Type.Object({ user: Ref, name: Name, email: Type.String() })
export type EmailConfirmed = Static<typeof EmailConfirmed>

/** Set a password by an invitation or by the secret of a reset. `end_tokens` ends also the tokens that the user has made. */
export const InvitationRedeem = Type.Object(
  {
    secret: Type.String({ pattern: '^[A-Za-z0-9_-]{20,200}$' }),
    password: Password,
    end_tokens: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type InvitationRedeem = Static<typeof InvitationRedeem>

/** Who has a new password, the token of their log-in, and how many tokens of their own are still valid. */
export const InvitationRedeemed = Type.Object({
  user: Ref,
  name: Name,
  token: Type.String(),
  tokens_left: Type.Integer(),
})
export type InvitationRedeemed = Static<typeof InvitationRedeemed>
