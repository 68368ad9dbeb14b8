import Type, { type Static } from 'typebox'
import { Arch } from './node.ts'

/**
 * What a node sends with its one-time token, over the community network. `proof` is the signature of {@link enrollmentStatement} with the private half of
 * `tinc_pubkey` (RSASSA-PKCS1-v1_5 with SHA-256, base64), because others know the public key too. After a lost answer, the node may send the same again until
 * it has reported for the first time; then the token is invalid. A server ignores members that only newer agents know.
 */
export const EnrollmentRequest = Type.Object({
  tinc_pubkey: Type.String({ maxLength: 4096, description: 'RSA public key, PKCS #1 PEM' }),
  arch: Arch,
  proof: Type.String({ maxLength: 1400, pattern: '^[A-Za-z0-9+/]+={0,2}$' }),
})
export type EnrollmentRequest = Static<typeof EnrollmentRequest>

/** What the node receives: its identity, its token, and how to reach the server over the management network. */
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

/** An enrolment token of a node, for an operator. This answer is the only one that contains it. */
export const EnrollmentToken = Type.Object({
  token: Type.String(),
  expires_on: Type.String({ format: 'date-time' }),
})
export type EnrollmentToken = Static<typeof EnrollmentToken>

/**
 * The text that a node signs to enrol: the owner of this key wants to be the node of this token, at the server with this certificate. The signature is useless
 * with another token or for another server.
 */
export function enrollmentStatement(of: {
  readonly secret: string
  /** SHA-256 of the server's certificate (DER), 64 hexadecimal digits. */
  readonly certificateSha256: string
  readonly tincPubkey: string
}): string {
  return ['community-lab enrolment 1', of.certificateSha256, of.secret, of.tincPubkey].join('\n')
}
