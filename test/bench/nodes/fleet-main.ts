import { createNodeHealth } from '../../../agent/src/measurement/collectors/node-health.ts'
import { createNodeNetwork } from '../../../agent/src/measurement/collectors/node-network.ts'
import { nowUs, type Sample } from '../../../agent/src/measurement/sample.ts'
import type { FleetAsk, FleetTold } from './fleet.ts'
import { simulateNode, type SimulatedNode } from './simulated-node.ts'

// Some of the simulated nodes, in a process of their own: see fleet.ts for what it is asked and what it tells.

/** Nodes that connect at the same time. */
const connecting = 25

const ending = new AbortController()
const nodes: SimulatedNode[] = []
let troubles = 0
/** What this host measures, as a node's collectors measure it. The simulated nodes repeat it, each at its own time. */
let measured: readonly Sample[] = []

function tell(message: FleetTold): void {
  process.send?.(message)
}

function collect(): readonly Sample[] {
  const timeUs = nowUs()
  return measured.map((sample) => ({ ...sample, time_us: timeUs }))
}

async function measure(): Promise<readonly Sample[]> {
  const health = createNodeHealth({ procRoot: '/proc', diskPath: '/' })
  const network = createNodeNetwork({ procRoot: '/proc' })
  // The first round has no utilization.
  await health.collect()
  return [...(await health.collect()), ...(await network.collect()).slice(0, 3)]
}

async function connect(ask: Extract<FleetAsk, { do: 'connect' }>): Promise<void> {
  measured = await measure()
  const join = (id: number): Promise<SimulatedNode> =>
    simulateNode({
      id,
      url: ask.url,
      certificateSha256: ask.certificateSha256,
      collect,
      onHint: () => tell({ what: 'hint', id, atNs: String(process.hrtime.bigint()) }),
      onTrouble() {
        troubles++
      },
      signal: ending.signal,
    })
  for (let id = ask.firstId; id <= ask.lastId; id += connecting) {
    const some = Math.min(connecting, ask.lastId - id + 1)
    nodes.push(...(await Promise.all(Array.from({ length: some }, (_, index) => join(id + index)))))
  }
  tell({ what: 'connected' })
}

// The benchmark has ended or was killed.
process.on('disconnect', () => process.exit(1))
process.on('message', (ask: FleetAsk) => {
  switch (ask.do) {
    case 'connect':
      void connect(ask)
      return
    case 'begin':
      for (const node of nodes) node.begin()
      return
    case 'count':
      tell({
        what: 'count',
        acknowledged: nodes.reduce((sum, node) => sum + node.acknowledged(), 0),
        troubles,
      })
      return
    case 'end':
      ending.abort()
      process.exit(0)
  }
})
