import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isHostInterface } from '../../sliver/domain/interfaces.ts'
import { parseNetDev, type Traffic } from '../domain/proc.ts'
import { nodeSource, nowUs, type Sample } from '../sample.ts'
import type { Collector } from './node-health.ts'

/**
 * Measure the traffic of the node's interfaces since they were created, in one row each: `interface`, and `receive_…` and `transmit_…` totals of bytes,
 * packets, errors and drops. The links of slivers are left out: their names are used by one sliver after another, and a node has thousands of slivers in its
 * life.
 */
export function createNodeNetwork({ procRoot }: { readonly procRoot: string }): Collector {
  async function collect(): Promise<readonly Sample[]> {
    // The file shows this process's network namespace, which is the node's.
    const counters = parseNetDev(await readFile(join(procRoot, 'self/net/dev'), 'utf8'))
    const timeUs = nowUs()
    const own = counters.filter((one) => !isHostInterface(one.interface))
    return own.map((one) => ({
      time_us: timeUs,
      source: nodeSource,
      name: 'node_network',
      fields: {
        interface: one.interface,
        ...totals('receive', one.receive),
        ...totals('transmit', one.transmit),
      },
    }))
  }

  return { name: 'node_network', collect }
}

function totals(direction: 'receive' | 'transmit', traffic: Traffic): Record<string, number> {
  return {
    [`${direction}_bytes_total`]: traffic.bytes,
    [`${direction}_packets_total`]: traffic.packets,
    [`${direction}_errors_total`]: traffic.errors,
    [`${direction}_drops_total`]: traffic.drops,
  }
}
