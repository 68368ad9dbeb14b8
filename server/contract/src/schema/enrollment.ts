import Type, { type Static } from 'typebox'
import { Arch } from './node.ts'

/** What a node sends with its one-time token, over the community network. Sending the same key again after a lost answer is allowed. */
export const EnrollmentRequest = Type.Object(
  {
    tinc_pubkey: Type.String({ maxLength: 4096, description: 'RSA public key, PKCS #1 PEM' }),
    arch: Arch,
  },
  { additionalProperties: false },
)
export type EnrollmentRequest = Static<typeof EnrollmentRequest>

/** What it gets: who it is, its token, and how to reach the server over the management network. */
export const EnrollmentAnswer = Type.Object({
  node: Type.Object({ id: Type.Integer(), name: Type.String() }),
  token: Type.String({ description: "the node's own token, for everything from now on" }),
  mgmt_ipv6_prefix: Type.String(),
  server: Type.Object({
    url: Type.String({ description: 'over the management network' }),
    certificate_sha256: Type.String(),
    mgmt_addr: Type.String(),
    tinc: Type.Object({
      name: Type.String(),
      pubkey: Type.String(),
      addresses: Type.Array(Type.Object({ addr: Type.String(), port: Type.Integer() })),
    }),
  }),
})
export type EnrollmentAnswer = Static<typeof EnrollmentAnswer>

/** An operator's request for a node's enrolment token; the token is shown this once. */
export const EnrollmentToken = Type.Object({
  token: Type.String(),
  expires_on: Type.String({ format: 'date-time' }),
})
export type EnrollmentToken = Static<typeof EnrollmentToken>
