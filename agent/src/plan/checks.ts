import {
  formatIpv6,
  LabError,
  parseIpv6,
  resourceUnits,
  type Arch,
  type MemberError,
  type NodeReport,
} from '@community-lab/contract'
import { holdAt } from './owner.ts'
import type { NodeWanted } from './wanted.ts'

/** What the agent knows of its own node. */
export interface OwnNode {
  /** Its id, from its enrolment. */
  readonly id: number
  readonly arch: Arch
  /** The testbed's management prefix, from its enrolment. Every address of a sliver is computed from it. */
  readonly mgmtPrefix: string
  /** What the device offers by its own settings. */
  readonly offered: readonly NodeReport['resources'][number][]
}

/**
 * Check whether the node can be what the registry has of it. Returns what contradicts that; while there is anything, the node is in `debug`. A part of the
 * target that the server does not send is not checked.
 *
 * Source: CONFINE node, which checks its id, architecture, direct interfaces (there are none here) and resources. A fault of the host that may pass, such as a
 * runtime that does not work, is none of these: the node reports `safe` meanwhile, and slivers keep their files.
 */
export function checkNode(wanted: NodeWanted, own: OwnNode): readonly MemberError[] {
  const { node, arch, mgmtPrefix } = wanted
  const faults: MemberError[] = []
  const contradict = (member: string, details: { found: string; wanted: string; help: string }) => {
    const { message } = new LabError('LAB_NODE_CONTRADICTED', { node: node.name, ...details })
    faults.push({ member, message })
  }
  if (node.id !== own.id)
    contradict('/id', {
      found: `its id is ${own.id}`,
      wanted: `the server sends it the target of node ${node.id}`,
      help: 'enrol it again in an empty data folder',
    })
  if (arch !== null && arch !== own.arch)
    contradict('/arch', {
      found: `its processor is ${own.arch}`,
      wanted: `the registry has ${arch}`,
      help: 'nothing: the registry takes it from the next report',
    })
  if (mgmtPrefix !== null && canonical(mgmtPrefix) !== canonical(own.mgmtPrefix))
    contradict('/mgmt_net', {
      found: `it was enrolled in the management network ${own.mgmtPrefix}`,
      wanted: `the testbed has ${mgmtPrefix}`,
      help: 'enrol it again in an empty data folder',
    })
  for (const { name, total } of own.offered)
    if (total < 1)
      contradict(`/resources/${name}`, {
        found: `it has ${total} ${resourceUnits[name]} of ${name} for slivers, after what it needs itself`,
        wanted: 'each sliver needs some',
        help: 'give it more, or raise COMMUNITY_LAB_AGENT_LENDS; to lend nothing, lend 0 slivers',
      })
  return faults
}

/** Return the target as far as the node's own checks allow it. */
export function holdByChecks(target: NodeWanted, faults: readonly MemberError[]): NodeWanted {
  return faults.length === 0 ? target : holdAt(target, 'debug')
}

/** Return a prefix in the one form that all its spellings have in common. */
function canonical(prefix: string): string {
  const [address = '', length = ''] = prefix.split('/')
  return `${formatIpv6(parseIpv6(address))}/${length}`
}
