import { sliverMac, type ActualInterface, type SliverInterface } from '@community-lab/contract'
import type { AddressPlan } from './interface/kind.ts'
import { findKind } from './interface/kinds.ts'

/**
 * The MAC address of the node's end of every link to a sliver. All links have the same, like {@link gatewayAddress}, because a link has only two ends. Locally
 * administered.
 */
export const gatewayMac = '02:00:00:00:00:01'
/** The node's address on every link to a sliver, to which the sliver's routes lead. */
export const gatewayAddress = 'fe80::1'

/** A sliver's number on its node, and its interfaces. */
export interface LinkedSliver {
  readonly nr: number
  readonly interfaces: readonly ActualInterface[]
}

/**
 * Compute a sliver's interfaces.
 * @throws {@link LabError} LAB_SLIVER_INTERFACE_UNKNOWN when this agent does not support the type of one.
 */
export function computeInterfaces(
  plan: AddressPlan,
  sliver: {
    readonly id: string
    readonly nr: number
    readonly sliceId: number
    readonly interfaces: readonly SliverInterface[]
  },
): ActualInterface[] {
  return sliver.interfaces.map(({ nr, name, type }) => {
    const at = { nodeId: plan.nodeId, sliverNr: sliver.nr, interfaceNr: nr }
    const place = { sliceId: sliver.sliceId, interfaceNr: nr }
    return {
      nr,
      name,
      type,
      mac_addr: sliverMac(at, plan.macPrefix),
      ipv6_addr: findKind(type, sliver.id).computeAddress(plan, place),
    }
  })
}

/** Return the interfaces with an address. Others are not made. */
export function addressed(
  interfaces: readonly ActualInterface[],
): readonly (ActualInterface & { readonly ipv6_addr: string })[] {
  return interfaces.flatMap((one) =>
    one.ipv6_addr === null ? [] : [{ ...one, ipv6_addr: one.ipv6_addr }],
  )
}

/** Return the name of the node's end of a sliver's interface. Source: CONFINE, `slv-<sliver number>-<interface number>`. */
export function hostInterface(sliverNr: number, interfaceNr: number): string {
  return `${hostInterfacePrefix(sliverNr)}${interfaceNr.toString(16).padStart(2, '0')}`
}

/** Return the common prefix of the names of a sliver's host interfaces. */
export function hostInterfacePrefix(sliverNr: number): string {
  return `slv-${sliverNr.toString(16).padStart(2, '0')}-`
}

/** Tell whether a name is that of a sliver's host interface. */
export function isHostInterface(name: string): boolean {
  return /^slv-[0-9a-f]{2,}-[0-9a-f]{2}$/u.test(name)
}
