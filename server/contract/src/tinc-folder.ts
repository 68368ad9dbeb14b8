import { hostManagementAddress, nodeManagementAddress } from './address.ts'
import {
  parseTincName,
  renderHostFile,
  renderTincConf,
  renderTincUp,
  tincSubnet,
  type TincDevice,
} from './tinc.ts'
import { renderPresenceScript } from './tinc-log.ts'

/** The server's end of the management network, as a machine that joins it must know it. */
export interface TincHub {
  /** The name of the server in tinc, such as `server_2`. */
  readonly name: string
  /** RSA public key, PKCS #1 PEM. */
  readonly pubkey: string
  readonly addresses: readonly { readonly addr: string; readonly port: number }[]
  /** The server's management address. */
  readonly mgmtAddr: string
}

/** The input of {@link renderTincFolder}. */
export interface TincFolderOptions {
  /** The name of the machine in tinc: `node_<id>` or `host_<id>`. */
  readonly name: string
  /** RSA public key of the machine, PKCS #1 PEM. */
  readonly pubkey: string
  /** The testbed's /48 prefix. */
  readonly prefix: string
  readonly hub: TincHub
  readonly interface: string
  readonly device: TincDevice
}

/** A file of a tinc folder. */
export interface TincFile {
  /** The path in the folder. */
  readonly path: string
  readonly text: string
  readonly isProgram: boolean
}

/**
 * Write all files of the tinc folder of a machine that joins the management network, except its private key `rsa_key.priv`. The server has the whole prefix as a
 * subnet besides its own address: packets to other machines go through it, and subnets that others announce do not count.
 *
 * @throws RangeError when the name is not that of a node or a host, or a value is malformed.
 */
export function renderTincFolder(options: TincFolderOptions): readonly TincFile[] {
  const { name, prefix, hub, device, pubkey } = options
  const subnet = tincSubnet(prefix, name)
  if (subnet === null) throw new RangeError(`not a name in the address plan: ${name}`)
  const at = { interface: options.interface, address: mgmtAddress(prefix, name), prefix }
  const conf = renderTincConf({
    name,
    interface: options.interface,
    device,
    connectTo: [hub.name],
    role: 'spoke',
  })
  const hubFile = renderHostFile({
    addresses: hub.addresses,
    subnets: [`${hub.mgmtAddr}/128`, prefix],
    pubkey: hub.pubkey,
  })
  const file = (path: string, text: string): TincFile => ({ path, text, isProgram: false })
  const program = (path: string, text: string): TincFile => ({ path, text, isProgram: true })
  return [
    file(`hosts/${name}`, renderHostFile({ subnets: [subnet], pubkey })),
    file(`hosts/${hub.name}`, hubFile),
    file('tinc.conf', conf),
    program('tinc-up', renderTincUp(device, at)),
    program('host-up', renderPresenceScript('host-up')),
    program('host-down', renderPresenceScript('host-down')),
  ]
}

function mgmtAddress(prefix: string, name: string): string {
  const owner = parseTincName(name)
  if (owner?.kind === 'node') return nodeManagementAddress(prefix, owner.id)
  if (owner?.kind === 'host') return hostManagementAddress(prefix, owner.id)
  throw new RangeError(`not the name of a node or a host: ${name}`)
}
