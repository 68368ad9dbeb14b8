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
import { LabError } from '@community-lab/contract'
import ssh2 from 'ssh2'

/** The key that opens a researcher's slivers. The private half never leaves this machine. */
export interface SshKey {
  readonly path: string
  /** OpenSSH's private form. */
  readonly privateKey: string
  /** One line, as for authorized_keys. */
  readonly publicKey: string
}

/**
 * Read the researcher's SSH key (`ssh-key`, mode 0600) in a folder; make an ed25519 one when there is none. Two processes that make it at once end up
 * with the same one.
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
      // A link fails when the file is there: whoever was first has made the key.
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
 * Make an ed25519 key, in OpenSSH's private form. ssh2 writes one key in 200 wrongly: when the public half begins with a zero byte, that byte is missing, and
 * nobody can read the key. Then another key is made.
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
  // OpenSSH refuses keys that others may read, and the same file serves both.
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
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new LabError('LAB_SSH_KEY_UNUSABLE', { file, reason }, { cause })
}
