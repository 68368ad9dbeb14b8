import { mkdtemp, readFile } from 'node:fs/promises'
import { Credentials } from '@community-lab/contract'
import { connect } from '@community-lab/kernel'
import { Value } from 'typebox/value'
import { freePort } from '../support/free-port.ts'
import { ownPlace } from '../support/place.ts'
import { startTestbedProcess } from '../support/testbed-process.ts'
import { readCpu, totalCpu, type CpuByPart } from './processes.ts'
import { formatRounds, printTable } from './table.ts'

const nodeCount = 5
const sliceName = 'start'

/** One start of a testbed, from the launcher's first instruction on. */
interface Start {
  /** Seconds until all nodes were in production, and until every sliver has answered a command over SSH. */
  readonly readyS: number
  readonly answeringS: number
  /** Processor time until either. */
  readonly readyCpu: CpuByPart
  readonly answeringCpu: CpuByPart
}

/**
 * Starts of a testbed of five nodes with a sliver each: cold in a new folder, where the slivers are asked for once it is up, and warm in the same folder,
 * where the agents start them again by themselves. What spends the processor time of the warm start is told part by part.
 */
export async function measureStart(rounds: number): Promise<void> {
  const cold: Start[] = []
  const warm: Start[] = []
  const place = ownPlace()
  for (let round = 0; round < rounds; round++) {
    const home = await mkdtemp(place.homePrefix)
    try {
      cold.push(await start(home))
      warm.push(await start(home))
    } finally {
      await place.remove(home)
    }
  }
  printTable(
    ['start', 'nodes in production', 'CPU', 'slivers answering', 'CPU'],
    Object.entries({ cold, warm }).map(([name, starts]) => [
      name,
      formatRounds(starts.map(({ readyS }) => readyS)),
      formatRounds(starts.map(({ readyCpu }) => totalCpu(readyCpu))),
      formatRounds(starts.map(({ answeringS }) => answeringS)),
      formatRounds(starts.map(({ answeringCpu }) => totalCpu(answeringCpu))),
    ]),
  )
  const names = [...new Set(warm.flatMap(({ answeringCpu }) => [...answeringCpu.keys()]))]
  printTable(
    ['part, warm', 'CPU, production', 'CPU, answering'],
    names.map((name) => [
      name,
      formatRounds(warm.map(({ readyCpu }) => readyCpu.get(name) ?? 0)),
      formatRounds(warm.map(({ answeringCpu }) => answeringCpu.get(name) ?? 0)),
    ]),
  )
}

async function start(home: string): Promise<Start> {
  const port = await freePort()
  const began = performance.now()
  const elapsedS = () => (performance.now() - began) / 1000
  const testbed = await startTestbedProcess({
    place: ownPlace(),
    home,
    port,
    nodes: nodeCount,
    env: {},
  })
  try {
    const readyS = elapsedS()
    const readyCpu = await readCpu(testbed.pid)
    await answerAll(await readCredentials(testbed.ready.credentialsFile))
    const answeringS = elapsedS()
    return { readyS, readyCpu, answeringS, answeringCpu: await readCpu(testbed.pid) }
  } finally {
    await testbed.stop()
  }
}

async function answerAll(credentials: Credentials): Promise<void> {
  const lab = connect(credentials)
  const nodes = await lab.nodes.find({ state: 'production' })
  if (nodes.length !== nodeCount) throw new Error(`${nodes.length} nodes are in production`)
  const slice = await lab.slices.ensure(sliceName, { template: 'tiny', nodes })
  await slice.started()
  const results = await slice.sh`true`
  for (const { node, exitCode, stderr, error } of results.failed)
    throw new Error(`${node}: ${exitCode ?? ''} ${stderr}`, { cause: error })
  await lab.close()
}

async function readCredentials(file: string): Promise<Credentials> {
  const document: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!Value.Check(Credentials, document)) throw new Error(`${file} has no credentials`)
  return document
}
