/**
 * Make the dataset `node-health` again: `npm run dataset`. It starts a virtual testbed of five nodes, keeps their slivers busy, injects failures at
 * known times (a partition, a link that flaps, a node whose power fails three times), and writes what the nodes measured of themselves as Parquet, with a manifest. Takes about four minutes; needs what `npm start` sets up.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type Lab } from '@community-lab/kernel'
import { startVirtualTestbed } from './virtual-testbed.ts'

const folder = import.meta.dirname
const healthIntervalS = 1

interface Fault {
  readonly atS: number
  readonly what: string
  readonly act: (lab: Lab) => Promise<void>
}

/** A link that goes up and down: how often, and the seconds of a cut and from one cut to the next. */
const flaps = { count: 6, fromS: 60, cutS: 4, everyS: 9 } as const
/** A node whose power fails: the times at which it does, in seconds, and how long it is off. */
const powerFailures = { atS: [125, 145, 165], offS: 7 } as const

/** What is done to the testbed, by seconds since the first. */
const script: readonly Fault[] = [
  { atS: 10, what: 'links of n3 cut', act: (lab) => lab.virtual().node('n3', 'cut') },
  { atS: 45, what: 'links of n3 back', act: (lab) => lab.virtual().node('n3', 'start') },
  ...Array.from({ length: flaps.count }, (_, index): readonly Fault[] => {
    const atS = flaps.fromS + index * flaps.everyS
    return [
      { atS, what: 'link n3-n4 cut', act: (lab) => lab.virtual().cutLink('n3', 'n4') },
      {
        atS: atS + flaps.cutS,
        what: 'link n3-n4 back',
        act: (lab) => lab.virtual().restoreLink('n3', 'n4'),
      },
    ]
  }).flat(),
  ...powerFailures.atS.flatMap((atS): readonly Fault[] => [
    { atS, what: 'n5 powered off', act: (lab) => lab.virtual().node('n5', 'stop') },
    {
      atS: atS + powerFailures.offS,
      what: 'n5 powered on',
      act: (lab) => lab.virtual().node('n5', 'start'),
    },
  ]),
  { atS: 195, what: 'end', act: () => Promise.resolve() },
]

/** Slivers send to each other at a steady rate, and n2's computes most of the time: something to see in every column. */
const load = `
i=0
while [ $i -lt 3000 ]; do
  ping -c 1 -s 1000 -W 1 "$1" >/dev/null 2>&1
  [ "$2" = busy ] && head -c 30000000 /dev/zero | sha256sum >/dev/null
  usleep 50000
  i=$((i + 1))
done`

const from = new Date()
const home = await mkdtemp(join(tmpdir(), 'cl-data-'))
try {
  await using testbed = await startVirtualTestbed(home, {
    nodes: 5,
    env: { COMMUNITY_LAB_AGENT_HEALTH_INTERVAL_S: String(healthIntervalS) },
  })
  await using lab = connect({ credentialsFile: testbed.credentialsFile })
  await record(lab)
} finally {
  await rm(home, { recursive: true, force: true })
}

async function record(lab: Lab): Promise<void> {
  const nodes = await lab.nodes.find({ state: 'production' })
  const slice = await lab.slices.ensure('load', { template: 'tiny', nodes })
  await slice.started()
  const peers = slice.slivers.map((_, index, all) => all[(index + 1) % all.length]?.address ?? '')
  for (const [index, sliver] of slice.slivers.entries()) {
    const busy = sliver.node === 'n2' ? 'busy' : 'idle'
    const command = `cat > load.sh; setsid sh load.sh ${peers[index] ?? ''} ${busy} </dev/null >/dev/null 2>&1 &`
    const { exitCode } = await sliver.exec(command, { input: load })
    if (exitCode !== 0) throw new Error(`the load did not start on ${sliver.node}`)
  }
  const firstMs = Date.now()
  const faults: { time: string; what: string }[] = []
  for (const { atS, what, act } of script) {
    await delay(Math.max(0, firstMs + atS * 1000 - Date.now()))
    console.log(`${atS} s: ${what}`)
    faults.push({ time: new Date().toISOString(), what })
    await act(lab)
  }
  const to = new Date()
  const health = await lab.health({ from, to })
  await everythingLanded(health, to)
  for (const file of await readdir(folder))
    if (file.endsWith('.parquet')) await rm(join(folder, file))
  const written = await health.export(folder, {
    name: 'node-health',
    title:
      'Health of five virtual nodes: a partition, a flapping link, power failures and an overloaded node',
    licence: 'CC-BY-4.0',
    made_by: 'npm run dataset (datasets/node-health/make.ts)',
    made_on: {
      nodes: nodes.length,
      arch: nodes[0]?.arch ?? null,
      health_interval_s: healthIntervalS,
    },
    // The first samples are those of the agents' first rounds, which have all routes.
    from: from.toISOString(),
    to: to.toISOString(),
    time: 'column time: UTC, microseconds, by the clock of the node; all virtual nodes share one clock',
    load: "n2's sliver computes most of the time; those of all nodes send pings to each other",
    provenance:
      'measured by real agents on namespaces of one machine; the faults were made on purpose, at the times that `faults` names',
    faults,
  })
  console.log(written)
  await slice.release()
}

/** Wait until every node's samples up to the end are here: those of a node that was cut off come late. */
async function everythingLanded(
  health: Awaited<ReturnType<Lab['health']>>,
  to: Date,
): Promise<void> {
  const almost = new Date(to.getTime() - 3_000 * healthIntervalS)
  for (let attempt = 0; attempt < 120; attempt++) {
    const rows = await health.sql<{ node: string }>`
      select node from node_health group by node having max(time) >= ${almost}`
    if (rows.length === 5) return
    await delay(500)
  }
  throw new Error('not every node has sent its last samples within a minute')
}
