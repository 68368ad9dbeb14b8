import { createHash, randomBytes } from 'node:crypto'

/** Make a secret of 256 bits; its prefix tells what leaked, should one ever be found in a file. */
export function makeSecret(prefix: 'clo' | 'clr' | 'cln' | 'cle'): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`
}

/** What is kept of a secret. It has 256 random bits, so that a plain hash is enough. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
