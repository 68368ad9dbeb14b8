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

/** They list the links, the routes of IPv6, the default routes of IPv4 and the queues. */
const commands = [
  'ip -o link show',
  'ip -o -6 route show table all type unicast',
  'ip -o -4 route show default',
  'tc qdisc show',
]
/** A line between the outputs of these commands, which have no such line. */
const mark = '---'

/** Create the probe of the queues of this network namespace. When the bandwidth of slivers is limited, the order of packets does not matter. */
export function createQueues({ mgmtInterface, lentMbps }: QueuesOptions): Queues {
  const isOwn = (name: string): boolean => name.startsWith('slv-') || name === mgmtInterface

  async function find(): Promise<readonly string[]> {
    // One shell runs all, because each process that Node.js itself starts costs it some milliseconds.
    const output = await runCommand(['sh', '-c', commands.join(` && echo '${mark}' && `)])
    const [links = '', routes = '', defaults = '', queues = ''] = output.split(`${mark}\n`)
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
