import { createPublicKey, type KeyObject } from 'node:crypto'
import { LabError, type HostPatch } from '@community-lab/contract'

/** The sizes of RSA keys in the management network, in bits. The gateway refuses smaller ones, and larger ones would slow its tincd down. */
const bits = { min: 2048, max: 8192 } as const

/**
 * Read the public key of a machine in the management network: RSA in PEM, as X.501 or PKCS #1. Returns it as PKCS #1, which tinc reads.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID.
 */
function readTincPubkey(pem: string): string {
  const key = parse(pem)
  const size = key?.asymmetricKeyDetails?.modulusLength ?? 0
  if (key?.asymmetricKeyType !== 'rsa' || size < bits.min || size > bits.max) {
    const message = `must be an RSA public key of ${bits.min} to ${bits.max} bits in PEM (BEGIN PUBLIC KEY or BEGIN RSA PUBLIC KEY)`
    throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '/tinc/pubkey', message }] })
  }
  // Node.js 24.21 fails to export a key as PKCS #1 that it has read as PKCS #1. A key that was read as JWK works.
  const numbers = createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' })
  return numbers.export({ type: 'pkcs1', format: 'pem' }).toString()
}

function parse(pem: string): KeyObject | null {
  // `createPublicKey` would also take a private key, which must not be here.
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/u.test(pem)) return null
  try {
    return createPublicKey(pem)
  } catch {
    // It is not a key. The refusal says what is expected.
    return null
  }
}

/** Read the key that a request gives a machine; null: it has none any more. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function readTincInput(tinc: HostPatch['tinc'] | undefined): string | null {
  return typeof tinc?.pubkey === 'string' ? readTincPubkey(tinc.pubkey) : null
}
