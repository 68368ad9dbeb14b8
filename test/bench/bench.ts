import { measureAgent } from './agent.ts'
import { measureExec } from './exec.ts'
import { measureFaults } from './faults.ts'
import { measureFanout } from './fanout.ts'
import { measureIdle } from './idle.ts'
import { measureIngest } from './ingest.ts'
import { measureKernel } from './kernel.ts'
import { measureLive } from './live.ts'
import { measureNodes } from './nodes.ts'
import { measureRegistry } from './registry.ts'
import { measureQuery, measureStore } from './store.ts'
import { measureSoak } from './soak.ts'
import { measureStart } from './start.ts'
import { measureTurnaround } from './turnaround.ts'

const benches: Readonly<Record<string, (rounds: number) => Promise<void>>> = {
  agent: measureAgent,
  start: measureStart,
  turnaround: measureTurnaround,
  exec: measureExec,
  fanout: measureFanout,
  faults: measureFaults,
  idle: measureIdle,
  ingest: measureIngest,
  kernel: measureKernel,
  live: measureLive,
  nodes: measureNodes,
  registry: measureRegistry,
  soak: measureSoak,
  store: measureStore,
  query: measureQuery,
}

const [name = '', rounds = '3'] = process.argv.slice(2)
const bench = benches[name]
if (bench === undefined || !/^[1-9][0-9]?$/u.test(rounds)) {
  console.error(
    `usage: npm run bench -- ${Object.keys(benches).join(' | ')} [ROUNDS, 1 to 99, default 3]`,
  )
  process.exit(2)
}
await bench(Number(rounds))
