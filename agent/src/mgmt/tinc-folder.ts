import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  nodeManagementAddress,
  nodeManagementSubnet,
  nodeTincName,
  renderHostFile,
  renderPresenceScript,
  renderTincConf,
  renderTincUp,
  type TincDevice,
} from '@community-lab/contract'
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

/**
 * Write all files of a node's tinc folder except its private key. The server has the whole prefix as a subnet besides its own address: packets to other nodes
 * go through it, and subnets that other nodes announce do not count.
 */
export async function writeTincFolder(dir: string, node: NodeTinc): Promise<void> {
  const { nodeId, prefix, server, device } = node
  const name = nodeTincName(nodeId)
  const at = { interface: node.interface, address: nodeManagementAddress(prefix, nodeId), prefix }
  const serverFile = renderHostFile({
    addresses: server.tinc.addresses,
    subnets: [`${server.mgmt_addr}/128`, prefix],
    pubkey: server.tinc.pubkey,
  })
  const ownFile = renderHostFile({
    subnets: [nodeManagementSubnet(prefix, nodeId)],
    pubkey: node.pubkey,
  })
  const conf = renderTincConf({
    name,
    interface: node.interface,
    device,
    connectTo: [server.tinc.name],
    role: 'spoke',
  })
  const hosts = join(dir, 'hosts')
  await mkdir(hosts, { recursive: true, mode: 0o700 })
  for (const file of await readdir(hosts)) {
    if (file !== name && file !== server.tinc.name) await rm(join(hosts, file))
  }
  await writeWhole(join(hosts, name), ownFile)
  await writeWhole(join(hosts, server.tinc.name), serverFile)
  await writeWhole(join(dir, 'tinc.conf'), conf)
  await writeWhole(join(dir, 'tinc-up'), renderTincUp(device, at), 0o700)
  await writeWhole(join(dir, 'host-up'), renderPresenceScript('host-up'), 0o700)
  await writeWhole(join(dir, 'host-down'), renderPresenceScript('host-down'), 0o700)
}
