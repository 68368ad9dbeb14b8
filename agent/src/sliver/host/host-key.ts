import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'

/** A sliver's SSH host key. */
export interface HostKey {
  /** The key in dropbear's format. */
  readonly dropbear: Buffer
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string
}

const type = 'ssh-ed25519'

/** Make an ed25519 host key. Source: dropbear, ed25519.c (type, then a string of seed and point); RFC 8709 for the public key. */
export async function makeHostKey(): Promise<HostKey> {
  const { privateKey } = await promisify(generateKeyPair)('ed25519')
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' })
  const seed = Buffer.from(d, 'base64url')
  const point = Buffer.from(x, 'base64url')
  const name = Buffer.from(type)
  return {
    dropbear: Buffer.concat([sshString(name), sshString(Buffer.concat([seed, point]))]),
    publicKey: `${type} ${Buffer.concat([sshString(name), sshString(point)]).toString('base64')}`,
  }
}

function sshString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
