import { sliverPublicAddress } from '@community-lab/contract'
import { icmpErrors, type InterfaceKind } from './kind.ts'

const mtuBytes = 1500

/** The community network: the sliver can exchange packets with everybody except the management network. It may ping the node. */
export const public6: InterfaceKind = {
  type: 'public6',
  mtuBytes,
  computeAddress: ({ publicPrefix }, place) =>
    publicPrefix === null ? null : sliverPublicAddress(publicPrefix, place),
  destination: () => 'default',
  reachesMany: true,
  rules: ({ mgmtPrefix }) => ({
    toNode: [
      `ip6 daddr != ${mgmtPrefix} icmpv6 type { ${icmpErrors}, echo-request, echo-reply } accept`,
    ],
    toSliver: [`ip6 saddr != ${mgmtPrefix} accept`],
    fromSliver: [`ip6 daddr != ${mgmtPrefix} accept`],
  }),
}
