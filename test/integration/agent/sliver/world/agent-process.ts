import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError, lendsAll, type LentAmounts, type SliverTarget } from '@community-lab/contract'
import type { Interval } from '../../../../../agent/src/clock/domain/server-time.ts'
import { systemClock } from '../../../../../agent/src/loop/clock.ts'
import { describeFault } from '../../../../../agent/src/executor/fault.ts'
import { samplesDisk } from '../../../../../agent/src/measurement/measuring.ts'
import { createSliverStreams } from '../../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { createLineChecks } from '../../../../../agent/src/measurement/domain/line-checks.ts'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'
import { createNodeProblems } from '../../../../../agent/src/report/problems.ts'
import { limitOffer, offerResources } from '../../../../../agent/src/report/resources.ts'
import type { NodeWanted } from '../../../../../agent/src/plan/wanted.ts'
import { openRuns } from '../../../../../agent/src/run/node-runs.ts'
import { openSlivers } from '../../../../../agent/src/sliver/node-slivers.ts'
import { serverAheadMs, type Answer, type AgentSettings, type Call } from './protocol.ts'

/** The agent's slivers and catchers as a process of its own, on the machine of a test: calls come as messages, answers go back. */
const settings = JSON.parse(process.argv[2] ?? '{}') as AgentSettings
const { dataDir } = settings
const { signal } = new AbortController()
const spool = await openSpool(join(dataDir, 'spool'))
const checks = createLineChecks()
const catchers = createSliverStreams({ spool, dir: join(dataDir, 'catchers'), checks })
const problems = createNodeProblems()
const offered = offerResources({ memory: 2000, disk: 3000, cpu: 200, processes: 4000 })
let lent: LentAmounts = lendsAll
const slivers = await openSlivers({
  dataDir,
  nodeId: 3,
  nodeName: 'n3',
  publicPrefix: settings.publicPrefix,
  wantedRuntime: settings.runtime,
  cgroupParent: settings.cgroupParent,
  mgmtPrefix: settings.mgmtPrefix,
  mgmtInterface: 'mgmt',
  lendsMbps: settings.lendsMbps,
  nrOnHost: null,
  readOffer: () => Promise.resolve(limitOffer(offered, lent)),
  samplesDisk,
  problems,
  fetchImage: (uri) => Promise.resolve(createReadStream(uri)),
  fetchFrom: (uri, fromByte) =>
    Promise.resolve({ fromByte, content: createReadStream(uri, { start: fromByte }) }),
  prepareMeasuring: (id, dir) => catchers.ensure(id, dir),
  endMeasuring: (id) => catchers.remove(id),
  onFinding: (_part, { message }) => tell({ kind: 'finding', message }),
  onNetworkChange: () => undefined,
  onCapabilities: () => undefined,
  onUpkeepError: (part, error) => tell({ kind: 'problem', id: part, message: String(error) }),
  onProblem: (id, error) => tell({ kind: 'problem', id, message: String(error) }),
  signal,
})
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n)
const serverBootedUs = (Date.now() + serverAheadMs) * 1000 - monotonicUs()
const exactly = (us: number): Interval => ({ lowUs: us, highUs: us })
for (const { id, stage } of await slivers.list())
  if (stage === 'started') await catchers.ensure(id, join(dataDir, 'measure', id))
const runs = await openRuns({
  dir: join(dataDir, 'runs'),
  slivers,
  spool,
  appendAfter: catchers.appendAfter,
  measureDir: (id) => join(dataDir, 'measure', id),
  checks,
  problems,
  clock: systemClock,
  dateMs: Date.now,
  serverClock: {
    programClock: () => ({
      wallOffsetUs: { lowUs: 2_000_000, highUs: 2_001_000 },
      monotonicOffsetUs: { lowUs: 1e15, highUs: 1e15 + 500 },
    }),
    serverTime: () => exactly(monotonicUs() + serverBootedUs),
    monotonicAt: (serverUs) => exactly(serverUs - serverBootedUs),
  },
  log: { debug() {}, info() {}, warn() {}, error() {} },
  onChange: () => undefined,
})
runs
  .run(signal)
  .catch((error: unknown) => tell({ kind: 'problem', id: 'runs', message: String(error) }))
slivers.onEnded((id) => tell({ kind: 'ended', id }))

const calls = {
  allocate: (target: SliverTarget) => slivers.allocate(target, settings.sliverMacPrefix, signal),
  deploy: (target: SliverTarget) => slivers.deploy(target, signal),
  start: (target: SliverTarget) => slivers.start(target, signal),
  authorize: (id: string, keys: string[]) => slivers.authorize(id, keys, signal),
  stop: (id: string) => slivers.stop(id, signal),
  undeploy: (id: string, sn: number) => slivers.undeploy(id, sn, signal),
  remove: (id: string) => slivers.remove(id, signal),
  list: () => slivers.list(),
  check: () => slivers.check(),
  lend(next: LentAmounts) {
    lent = next
    return slivers.lend(next.rate_mbps)
  },
  unreadable: () => slivers.unreadable(),
  problems: () => Promise.resolve(problems.list()),
  aim(target: NodeWanted) {
    runs.setTarget(target)
    return Promise.resolve()
  },
  runs: () => Promise.resolve(runs.reports()),
  async samples(count: number) {
    while (spool.syncedSeq < count) await delay(5)
    return spool.read(1, 1000)
  },
}

process.on('message', (call: Call) => {
  const run = calls[call.name] as (...args: unknown[]) => Promise<unknown>
  run(...call.args).then(
    (value) => tell({ kind: 'answer', nr: call.nr, value: value ?? null }),
    (error: unknown) => {
      const step = call.name === 'deploy' || call.name === 'allocate' ? call.name : 'start'
      const { member, message } = describeFault(step, error)
      const code = LabError.is(error) ? error.code : 'none'
      tell({ kind: 'failure', nr: call.nr, code, member, message })
    },
  )
})
tell({ kind: 'ready', pid: process.pid, capabilities: slivers.capabilities })

function tell(answer: Answer): void {
  process.send?.(answer)
}
