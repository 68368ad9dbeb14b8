import { setTimeout as delay } from 'node:timers/promises'
import {
  backoffMs,
  enrollmentStatement,
  LabError,
  parseEnrollmentToken,
  routes,
  type Arch,
} from '@community-lab/contract'
import { readIdentity, type Identity } from '../mgmt/identity.ts'
import { createPinnedHttp, type PinnedHttp } from './pinned-http.ts'

/** What a node sends about itself when it enrols. */
export interface Enrollee {
  /** RSA public key, PKCS #1 PEM. */
  readonly tincPubkey: string
  /** Sign a statement with the private key: RSASSA-PKCS1-v1_5, SHA-256, base64. */
  sign(statement: string): string
  readonly arch: Arch
}

const backoff = { firstMs: 500, longestMs: 10_000, jitter: 0.2 }

/**
 * Enrol this node with its one-time token, over the community network. The server's certificate is compared with the token's fingerprint before
 * anything is sent. After a lost answer, or while the server cannot be reached, the agent tries again (after 0.5 s, doubling to 10 s, minus up to a fifth at random) until the
 * signal ends it. The server gives the same answer again to a node that proves to have the same key.
 *
 * @throws {@link LabError} LAB_ENROLLMENT_MALFORMED, LAB_CERTIFICATE_MISMATCH, LAB_ENROLLMENT_REFUSED, or another error that does not pass.
 */
export async function enroll(
  token: string,
  enrollee: Enrollee,
  signal: AbortSignal,
): Promise<Identity> {
  const { url, certificateSha256, secret } = parseEnrollmentToken(token)
  const { tincPubkey } = enrollee
  const proof = enrollee.sign(enrollmentStatement({ secret, certificateSha256, tincPubkey }))
  const http = createPinnedHttp({ url, certificateSha256, token: secret })
  try {
    for (let failures = 1; ; failures++) {
      try {
        return await enrollOnce(http, { url, enrollee, proof, signal })
      } catch (error) {
        if (signal.aborted || !LabError.is(error) || !error.retryable) throw error
        await delay(backoffMs(backoff, failures), undefined, { signal })
      }
    }
  } finally {
    http.close()
  }
}

async function enrollOnce(
  http: PinnedHttp,
  at: {
    readonly url: string
    readonly enrollee: Enrollee
    readonly proof: string
    readonly signal: AbortSignal
  },
): Promise<Identity> {
  const { enrollee, proof, signal } = at
  const answer = await http.request({
    method: 'POST',
    path: routes.enroll,
    json: { tinc_pubkey: enrollee.tincPubkey, arch: enrollee.arch, proof },
    signal,
  })
  const identity = readIdentity(await answer.readJson())
  const url = new URL(routes.enroll, at.url).href
  if (typeof identity === 'string')
    throw new LabError('LAB_RESPONSE_INVALID', { url, reason: identity })
  return identity
}
