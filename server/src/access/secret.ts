import { createHash, randomBytes } from 'node:crypto'

/** Create a secret of 256 bits. Its prefix tells the kind of a secret that is found in a leaked file. `cls`: a session's, `cli`: an invitation's. */
export function makeSecret(prefix: 'clo' | 'clr' | 'cln' | 'cle' | 'cls' | 'cli'): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`
}

/** Return the hash of a secret, which is stored instead of it. The secret has 256 random bits, so a plain hash is enough. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
