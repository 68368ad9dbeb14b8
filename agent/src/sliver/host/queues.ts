import { findUnorderedQueues } from '../domain/queues.ts'
import { reasonOf, runCommand } from './command.ts'

/** The queues of the interfaces through which slivers' packets leave the node. */
export interface Queues {
  /** Find out whether slivers' packets wait for all others. Returns what this node lacks, in words; null: nothing. */
  probe(): Promise<string | null>
}

/** Options of {@link createQueues}. */
export interface QueuesOptions {
  readonly mgmtInterface: string | null
  /** Return the most bandwidth of all slivers together in each direction, in Mbit/s; null: not limited. */
  readonly lentMbps: () => number | null
}

/** Create the probe of the queues of this network namespace. When the bandwidth of slivers is limited, the order of packets does not matter. */
export function createQueues({ mgmtInterface, lentMbps }: QueuesOptions): Queues {
  const isOwn = (name: string): boolean => name.startsWith('slv-') || name === mgmtInterface

  async function find(): Promise<readonly string[]> {
    const [links, routes, defaults, queues] = await Promise.all([
      runCommand(['ip', '-o', 'link', 'show']),
      runCommand(['ip', '-o', '-6', 'route', 'show', 'table', 'all', 'type', 'unicast']),
      runCommand(['ip', '-o', '-4', 'route', 'show', 'default']),
      runCommand(['tc', 'qdisc', 'show']),
    ])
    return findUnorderedQueues({ links, routes: routes + defaults, queues }, isOwn)
  }

  return {
    async probe() {
      if (lentMbps() !== null) return null
      const advice = 'set COMMUNITY_LAB_AGENT_LENDS_MBPS to a part of what its line carries'
      try {
        const found = await find()
        if (found.length === 0) return null
        return `it does not send slivers' packets behind all others on ${found.join(', ')}: ${advice}`
      } catch (error) {
        return `it cannot find out whether slivers' packets wait behind all others (${reasonOf(error)}): ${advice}`
      }
    },
  }
}
