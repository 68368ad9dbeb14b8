import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeTincName, renderTincFolder, type TincDevice } from '@community-lab/contract'
import { writeWhole } from '@community-lab/contract/host'
import type { Identity } from './identity.ts'

/** The input of a node's tinc folder. */
export interface NodeTinc {
  readonly nodeId: number
  /** The testbed's /48 prefix. */
  readonly prefix: string
  readonly server: Identity['server']
  /** The node's own public key, PKCS #1 PEM. */
  readonly pubkey: string
  readonly interface: string
  readonly device: TincDevice
}

/** Write all files of a node's tinc folder except its private key, and remove the files of other hosts. */
export async function writeTincFolder(dir: string, node: NodeTinc): Promise<void> {
  const { nodeId, server } = node
  const files = renderTincFolder({
    ...node,
    name: nodeTincName(nodeId),
    hub: { ...server.tinc, mgmtAddr: server.mgmt_addr },
  })
  const hosts = join(dir, 'hosts')
  await mkdir(hosts, { recursive: true, mode: 0o700 })
  const kept = new Set(files.map(({ path }) => path))
  for (const file of await readdir(hosts))
    if (!kept.has(`hosts/${file}`)) await rm(join(hosts, file))
  for (const { path, text, isProgram } of files)
    await writeWhole(join(dir, path), text, isProgram ? 0o700 : 0o600)
}
