import { hostManagementSubnet, sliverManagementAddress } from '@community-lab/contract'
import { icmpErrors, type InterfaceKind } from './kind.ts'

/** The MTU of tincd, the smallest on the path to the server. Slivers have the same, so that they need no path MTU discovery. */
const mtuBytes = 1400

/** The management network: only the server and hosts reach the sliver, at TCP port 22 and by ping. The sliver only answers. */
export const management: InterfaceKind = {
  type: 'management',
  mtuBytes,
  computeAddress: ({ nodeId, mgmtPrefix }, place) =>
    sliverManagementAddress(mgmtPrefix, { nodeId, ...place }),
  destination: ({ mgmtPrefix }) => mgmtPrefix,
  reachesMany: false,
  rules({ serverAddress, mgmtPrefix, mgmtInterface }) {
    const match = mgmtInterface === null ? '!= "slv-*"' : `"${mgmtInterface}"`
    const peers = `{ ${serverAddress}, ${hostManagementSubnet(mgmtPrefix)} }`
    const from = `iifname ${match} ip6 saddr ${peers}`
    const to = `oifname ${match} ip6 daddr ${peers}`
    return {
      toNode: [],
      toSliver: [
        `${from} tcp dport 22 accept`,
        `${from} icmpv6 type { ${icmpErrors}, echo-request } accept`,
      ],
      fromSliver: [
        `${to} tcp sport 22 tcp flags & (syn | ack) != syn accept`,
        `${to} icmpv6 type { ${icmpErrors}, echo-reply } accept`,
      ],
    }
  },
}
