import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeWhole } from './whole-file.ts'

/** RSA key size in bits. Source: tinc's default. */
const modulusLength = 2048

/**
 * Find the node's tinc key in its tinc folder, or make it there, once; it never leaves the node. Returns the public half, PKCS #1 PEM.
 * The key is made in the thread pool: 0.2 to 0.4 s.
 */
export async function ensureTincKey(dir: string): Promise<string> {
  const file = join(dir, 'rsa_key.priv')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const pem = await readFile(file, 'utf8').catch(async (error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength })
    const made = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
    await writeWhole(file, made)
    return made
  })
  const key = createPublicKey(createPrivateKey(pem))
  return key.export({ type: 'pkcs1', format: 'pem' }).toString()
}
