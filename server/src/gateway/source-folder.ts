import { createPrivateKey, createPublicKey } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalSubnet, parseHostFile, parseTincName, tincSubnet } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { GatewayNetwork } from './protocol.ts'

/** The checked content of the server's tinc folder. */
export interface TincSource {
  readonly network: GatewayNetwork
  /** RSA private key in PEM (PKCS #1). It is written by this program, from the parsed key. */
  readonly privateKey: string
  readonly publicKey: string
  /** The hosts that may connect: RSA public keys by tinc name. The subnet of a host follows from its name. */
  readonly hosts: ReadonlyMap<string, string>
  readonly rejected: readonly { readonly file: string; readonly reason: string }[]
}

const maxFileBytes = 16 * 1024

/**
 * Read the tinc folder that the unprivileged server writes. Its content is only data, and is not trusted:
 *
 * no link, device or pipe is opened, no file longer than 16 KiB is read, keys are parsed and written again, and a host is accepted only with the one subnet
 * that the address plan gives to its name. A bad host file is left out and named; the others are used.
 * Returns a sentence instead when the folder is not complete yet.
 */
export async function readTincSource(dir: string): Promise<TincSource | string> {
  try {
    const network = readNetwork(await readPlainFile(join(dir, 'network.json')))
    const key = createPrivateKey(await readPlainFile(join(dir, 'rsa_key.priv')))
    checkRsa(key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength)
    const pkcs1 = { type: 'pkcs1', format: 'pem' } as const
    return {
      network,
      privateKey: key.export(pkcs1).toString(),
      publicKey: createPublicKey(key).export(pkcs1).toString(),
      ...(await readHosts(join(dir, 'hosts'), network)),
    }
  } catch (error) {
    // The answer is the same for every fault: wait until the server has written a good folder. File contents are never repeated.
    return `${dir}: ${reasonOf(error)}`
  }
}

/**
 * Read the files of some hosts again, as {@link readTincSource} reads all. The other hosts stay as they were. A host whose file is gone may not connect any
 * more. Returns a sentence instead when the folder cannot be read.
 */
export async function readSomeHosts(
  dir: string,
  before: TincSource,
  names: readonly string[],
): Promise<TincSource | string> {
  const folder = join(dir, 'hosts')
  const asked = new Set(names)
  try {
    // Names are compared with the listed files before any becomes a path.
    const files = (await readdir(folder)).filter((file) => asked.has(file))
    const read = await readFiles(folder, files, before.network)
    const hosts = new Map(before.hosts)
    for (const name of asked) hosts.delete(name)
    for (const [name, pubkey] of read.hosts) hosts.set(name, pubkey)
    const rejected = before.rejected.filter(({ file }) => !asked.has(file))
    return { ...before, hosts, rejected: [...rejected, ...read.rejected] }
  } catch (error) {
    return `${dir}: ${reasonOf(error)}`
  }
}

type ReadHosts = Pick<TincSource, 'hosts' | 'rejected'>

async function readHosts(dir: string, network: GatewayNetwork): Promise<ReadHosts> {
  return readFiles(dir, await readdir(dir), network)
}

async function readFiles(
  dir: string,
  files: readonly string[],
  network: GatewayNetwork,
): Promise<ReadHosts> {
  const hosts = new Map<string, string>()
  const rejected: { file: string; reason: string }[] = []
  for (const file of files) {
    if (file === network.name || file.startsWith('.')) continue
    try {
      if (parseTincName(file) === null)
        throw new RangeError('not the name of a node, a host or a server')
      hosts.set(file, readHost(file, await readPlainFile(join(dir, file)), network.prefix))
    } catch (error) {
      if (isOfSystem(error)) throw error
      rejected.push({ file: file.slice(0, 64), reason: reasonOf(error) })
    }
  }
  return { hosts, rejected }
}

function readHost(name: string, text: string, prefix: string): string {
  const { subnets, pubkey } = parseHostFile(text)
  const own = tincSubnet(prefix, name)
  if (own === null || subnets.length !== 1 || subnets[0] !== own) {
    throw new RangeError(`its one subnet is ${own ?? 'none'}, the file says ${subnets.join(', ')}`)
  }
  const key = createPublicKey({ key: pubkey, format: 'pem', type: 'pkcs1' })
  checkRsa(key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength)
  // Node.js 24.21 fails to export a key as PKCS #1 that it has read as PKCS #1. A key that was read as JWK works.
  const numbers = createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' })
  return numbers.export({ type: 'pkcs1', format: 'pem' }).toString()
}

function readNetwork(text: string): GatewayNetwork {
  const value: unknown = JSON.parse(text)
  if (!Value.Check(GatewayNetwork, value)) throw new RangeError('network.json is malformed')
  if (tincSubnet(value.prefix, value.name) === null) {
    throw new RangeError('network.json: no /48, or a server id outside the plan')
  }
  return { ...value, prefix: canonicalSubnet(value.prefix) }
}

function checkRsa(type: string | undefined, modulusLength: number | undefined): void {
  if (type !== 'rsa' || modulusLength === undefined || modulusLength < 2048) {
    throw new RangeError('not an RSA key of at least 2048 bits')
  }
}

async function readPlainFile(path: string): Promise<string> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, flags)
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > maxFileBytes) throw new RangeError('not a small plain file')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxFileBytes), 0, maxFileBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Tell whether a file could not be read because of the system, so that it may be readable the next time. */
function isOfSystem(error: unknown): boolean {
  const codes: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO']
  return error instanceof Error && 'code' in error && codes.includes(error.code)
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
  return code === 'ENOENT' ? 'not complete yet' : code
}
