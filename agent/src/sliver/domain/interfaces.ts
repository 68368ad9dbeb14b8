import { sliverMac, type ActualInterface, type SliverInterface } from '@community-lab/contract'
import type { AddressPlan } from './interface/kind.ts'
import { findKind } from './interface/kinds.ts'

/** The node's end of every link to a sliver has this MAC address and {@link gatewayAddress}: a link has no third party. Locally administered. */
export const gatewayMac = '02:00:00:00:00:01'
/** The node's address on every link to a sliver; the sliver's routes go there. */
export const gatewayAddress = 'fe80::1'

/** A sliver's number on its node, and its interfaces. */
export interface LinkedSliver {
  readonly nr: number
  readonly interfaces: readonly ActualInterface[]
}

/**
 * Compute a sliver's interfaces as they will be.
 * @throws {@link LabError} LAB_SLIVER_INTERFACE_UNKNOWN when one is of a kind that this agent does not have.
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

/** The interfaces that have an address; the others are not made. */
export function addressed(
  interfaces: readonly ActualInterface[],
): readonly (ActualInterface & { readonly ipv6_addr: string })[] {
  return interfaces.flatMap((one) =>
    one.ipv6_addr === null ? [] : [{ ...one, ipv6_addr: one.ipv6_addr }],
  )
}

/** The node's end of a sliver's interface. Source: CONFINE, `slv-<sliver number>-<interface number>`. */
export function hostInterface(sliverNr: number, interfaceNr: number): string {
  return `${hostInterfacePrefix(sliverNr)}${interfaceNr.toString(16).padStart(2, '0')}`
}

/** What the names of all of a sliver's host interfaces begin with. */
export function hostInterfacePrefix(sliverNr: number): string {
  return `slv-${sliverNr.toString(16).padStart(2, '0')}-`
}

/** Whether a name is one of a sliver's host interfaces. */
export function isHostInterface(name: string): boolean {
  return /^slv-[0-9a-f]{2,}-[0-9a-f]{2}$/u.test(name)
}
