import { sliverManagementAddress } from '@community-lab/contract'
import { icmpErrors, type InterfaceKind } from './kind.ts'

/** tincd's MTU is the smallest on the way to the server. A sliver has the same, so that it never has to discover it. */
const mtuBytes = 1400

/** The management network: the server alone reaches the sliver, at TCP port 22 and by ping. The sliver only answers. */
export const management: InterfaceKind = {
  type: 'management',
  mtuBytes,
  computeAddress: ({ nodeId, mgmtPrefix }, place) =>
    sliverManagementAddress(mgmtPrefix, { nodeId, ...place }),
  destination: ({ mgmtPrefix }) => mgmtPrefix,
  reachesMany: false,
  rules({ serverAddress, mgmtInterface }) {
    const match = mgmtInterface === null ? '!= "slv-*"' : `"${mgmtInterface}"`
    const from = `iifname ${match} ip6 saddr ${serverAddress}`
    const to = `oifname ${match} ip6 daddr ${serverAddress}`
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
