import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeWhole } from '../whole-file.ts'

/** RSA key size in bits. Source: tinc's default. */
const modulusLength = 2048

/**
 * Find the server's tinc key in its tinc folder, or make it there, once. The private half is readable to the server (and to root, hence to the
 * gateway) alone. Returns the public half, PKCS #1 PEM.
 */
export async function ensureServerKey(tincDir: string): Promise<string> {
  const file = join(tincDir, 'rsa_key.priv')
  await mkdir(join(tincDir, 'hosts'), { recursive: true, mode: 0o700 })
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
