import {
  sliverMac,
  sliverManagementAddress,
  sliverPublicAddress,
  type ActualInterface,
  type SliverInterface,
} from '@community-lab/contract'

/** What the addresses of this node's slivers are computed from. */
export interface AddressPlan {
  readonly nodeId: number
  /** The testbed's management /48. */
  readonly mgmtPrefix: string
  readonly macPrefix: number
  /** The node's /64 in the community network; null: none. */
  readonly publicPrefix: string | null
}

/** The node's end of every link to a sliver has this MAC address and {@link gatewayAddress}: a link has no third party. Locally administered. */
export const gatewayMac = '02:00:00:00:00:01'
/** Where a sliver's routes go to. */
export const gatewayAddress = 'fe80::1'

/** Compute a sliver's interfaces as they will be. A public one has no address where the node has no public prefix. */
export function computeInterfaces(
  plan: AddressPlan,
  sliver: {
    readonly nr: number
    readonly sliceId: number
    readonly interfaces: readonly SliverInterface[]
  },
): ActualInterface[] {
  return sliver.interfaces.map(({ nr, name, type }) => {
    const place = { nodeId: plan.nodeId, sliceId: sliver.sliceId, interfaceNr: nr }
    const at = { nodeId: plan.nodeId, sliverNr: sliver.nr, interfaceNr: nr }
    return {
      nr,
      name,
      type,
      mac_addr: sliverMac(at, plan.macPrefix),
      ipv6_addr:
        type === 'management'
          ? sliverManagementAddress(plan.mgmtPrefix, place)
          : plan.publicPrefix === null
            ? null
            : sliverPublicAddress(plan.publicPrefix, place),
    }
  })
}

/** The node's end of a sliver's interface. Source: CONFINE, `slv-<sliver number>-<interface number>`. */
export function hostInterface(sliverNr: number, interfaceNr: number): string {
  return `${hostInterfacePrefix(sliverNr)}${interfaceNr.toString(16).padStart(2, '0')}`
}

/** What the names of all of a sliver's host interfaces begin with. */
export function hostInterfacePrefix(sliverNr: number): string {
  return `slv-${sliverNr.toString(16).padStart(2, '0')}-`
}
