import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRsaPublicKeyPem, parseTincName, renderHostFile } from '@community-lab/contract'
import type { GatewayNetwork } from '../gateway/protocol.ts'
import type { TincHost } from '../registry/registry.ts'
import { writeWhole } from '@community-lab/contract/host'

/** Write what the gateway needs besides keys and hosts. */
export async function writeNetwork(tincDir: string, network: GatewayNetwork): Promise<void> {
  await writeChanged(join(tincDir, 'network.json'), `${JSON.stringify(network)}\n`)
}

/**
 * Update the host files in the folder: files that differ are written, and files of other hosts are removed. Each file is replaced as a whole. With `among`,
 * only the files of these hosts are compared. Returns the names of hosts that were left out because tinc does not accept their name or key.
 */
export async function writeHosts(
  tincDir: string,
  hosts: readonly TincHost[],
  among?: readonly string[],
): Promise<readonly string[]> {
  const dir = join(tincDir, 'hosts')
  const usable = hosts.filter((h) => parseTincName(h.name) !== null && isRsaPublicKeyPem(h.pubkey))
  const names = new Set(usable.map((host) => host.name))
  for (const file of among ?? (await readdir(dir)))
    if (!names.has(file)) await rm(join(dir, file), { force: true })
  for (const { name, subnets, pubkey } of usable) {
    await writeChanged(join(dir, name), renderHostFile({ subnets, pubkey }))
  }
  return hosts.filter((host) => !names.has(host.name)).map((host) => host.name)
}

async function writeChanged(path: string, text: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (before !== text) await writeWhole(path, text)
}
