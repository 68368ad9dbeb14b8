import { createPrivateKey, createPublicKey, generateKeyPair, sign } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeWhole } from './whole-file.ts'

/** RSA key size in bits. Source: tinc's default. */
const modulusLength = 2048

/** A host's key of the management network. */
export interface TincKey {
  /** The public half, PKCS #1 PEM. */
  readonly pubkey: string
  /** Sign a text with the private half: RSASSA-PKCS1-v1_5 with SHA-256, base64. */
  sign(text: string): string
}

/**
 * Read a host's tinc key from its tinc folder, or create it there once. The private half never leaves the host, and only its owner can read it. The key is
 * created in the thread pool, which takes 0.2 to 0.4 s.
 */
export async function ensureTincKey(dir: string): Promise<TincKey> {
  const file = join(dir, 'rsa_key.priv')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const pem = await readFile(file, 'utf8').catch(async (error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength })
    const made = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
    await writeWhole(file, made)
    return made
  })
  const key = createPrivateKey(pem)
  return {
    pubkey: createPublicKey(key).export({ type: 'pkcs1', format: 'pem' }).toString(),
    sign: (text) => sign('sha256', Buffer.from(text), key).toString('base64'),
  }
}
