import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import path from 'node:path'
import { LabError, messageOf } from '@community-lab/contract'
import ssh2 from 'ssh2'

/** The researcher's SSH key, which the slivers accept. The private half never leaves this machine. */
export interface SshKey {
  readonly path: string
  /** The private half, in OpenSSH's format. */
  readonly privateKey: string
  /** The public half: one line, as in authorized_keys. */
  readonly publicKey: string
}

/**
 * Read the researcher's SSH key from a folder (file `ssh-key`, mode 0600). When there is none, make an ed25519 key. Two processes that do this at the same time
 * end up with the same key.
 *
 * @throws {@link LabError} LAB_SSH_KEY_UNUSABLE.
 */
export function ensureSshKey(folder: string): SshKey {
  const file = path.join(folder, 'ssh-key')
  try {
    return readKey(file)
  } catch (error) {
    if (!isMissing(error)) throw unusable(file, error)
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const comment = `community-lab ${userInfo().username}@${hostname()}`.replace(/[^ -~]/gu, '')
    const draft = `${file}.${randomUUID()}`
    writeFileSync(draft, makeKey(comment), { mode: 0o600 })
    try {
      // `linkSync` fails when the file exists: another process has just made the key, and this one uses it.
      linkSync(draft, file)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    } finally {
      rmSync(draft)
    }
    return readKey(file)
  } catch (error) {
    throw unusable(file, error)
  }
}

/**
 * Make an ed25519 key in OpenSSH's private format. ssh2 writes one key in 200 incorrectly: when the public half begins with a zero byte, ssh2 omits that byte,
 * and nothing can read the key. In that case another key is made.
 *
 * Source: https://github.com/mscdex/ssh2/issues/1390, open with ssh2 1.17.0.
 */
export function makeKey(comment: string): string {
  for (;;) {
    const made = ssh2.utils.generateKeyPairSync('ed25519', { comment }).private
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made
  }
}

function readKey(file: string): SshKey {
  const privateKey = readFileSync(file, 'utf8')
  // OpenSSH refuses a private key that other users may read, and users give this file to OpenSSH too.
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
  const parsed = ssh2.utils.parseKey(privateKey)
  if (parsed instanceof Error) throw parsed
  const publicKey = `${parsed.type} ${parsed.getPublicSSH().toString('base64')} ${parsed.comment}`
  return { path: file, privateKey, publicKey: publicKey.trim() }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function unusable(file: string, cause: unknown): LabError {
  const reason = messageOf(cause)
  return new LabError('LAB_SSH_KEY_UNUSABLE', { file, reason }, { cause })
}
