import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bool, point, type RunReport, type RunTarget } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { writeDocument } from '../../../../agent/src/disk/document.ts'
import { systemClock } from '../../../../agent/src/loop/clock.ts'
import { createLineChecks } from '../../../../agent/src/measurement/domain/line-checks.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createNodeProblems, type NodeProblems } from '../../../../agent/src/report/problems.ts'
import { openRuns } from '../../../../agent/src/run/node-runs.ts'
import { runRecordFormat } from '../../../../agent/src/run/record.ts'
import { identifyProcess } from '../../../../agent/src/sliver/host/process.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aRun, aTarget } from './world.ts'

const ended = 'begun 1000000\nended 2000000 0 - exited 3 0 1\n'

/** The runs of a node without containers, in a folder that is removed at the end. */
interface World extends AsyncDisposable {
  readonly spool: Spool
  readonly problems: NodeProblems
  reports(): readonly RunReport[]
  /** How often something that is reported has changed. */
  changes(): number
}

async function startRuns(
  dir: string,
  wanted: readonly RunTarget[],
  checks = createLineChecks(),
): Promise<World> {
  const spool = await openSpool(join(dir, 'spool'))
  const problems = createNodeProblems()
  let changes = 0
  const runs = await openRuns({
    dir: join(dir, 'runs'),
    slivers: new FakeSlivers(),
    spool,
    measureDir: () => dir,
    checks,
    problems,
    clock: systemClock,
    dateMs: Date.now,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onChange: () => changes++,
  })
  const stop = new AbortController()
  runs.setTarget(aTarget([], wanted))
  const running = runs.run(stop.signal).catch(() => undefined)
  return {
    spool,
    problems,
    reports: () => runs.reports(),
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
      await spool.close()
      await rm(dir, { recursive: true })
    },
  }
}

it('a run whose output cannot be read keeps neither the output nor the end of another one back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const [broken, whole] = [aRun({ program: {} }), aRun({ program: {} })]
  for (const { id, sliver } of [broken, whole]) {
    await mkdir(join(dir, 'runs', id), { recursive: true })
    const record = { id, sliver, recordedMs: 0, cgroup: null, closed: null, isSent: false }
    const path = join(dir, 'runs', id, 'run.json')
    await writeDocument(path, runRecordFormat, { ...record, outputBytes: 0 })
    await writeFile(join(dir, 'runs', id, 'state'), ended)
  }
  await mkdir(join(dir, 'runs', broken.id, 'output'))
  await writeFile(join(dir, 'runs', whole.id, 'output'), 'yes')
  await using world = await startRuns(dir, [broken, whole])
  await expect
    .poll(() => world.spool.read(1, 10).map(({ fields }) => [fields['run'], fields['text']]))
    .toEqual([[whole.id, 'yes']])
  await expect.poll(() => world.changes()).toBeGreaterThan(0)
  expect(world.problems.list().map(({ message }) => message)).toEqual([
    expect.stringContaining(`run ${broken.id}: EISDIR`),
  ])
})

it('runs that have ended are reported before others, because a report has a bound', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const [open, over] = [
    aRun({ program: {}, start_at: '2100-01-01T00:00:00Z' }),
    aRun({ program: {} }),
  ]
  for (const [{ id, sliver }, state] of [
    [open, ''],
    [over, ended],
  ] as const) {
    await mkdir(join(dir, 'runs', id), { recursive: true })
    const record = { id, sliver, recordedMs: 0, cgroup: null, closed: null, isSent: false }
    const path = join(dir, 'runs', id, 'run.json')
    await writeDocument(path, runRecordFormat, { ...record, outputBytes: 0 })
    await writeFile(join(dir, 'runs', id, 'state'), state)
  }
  await using world = await startRuns(dir, [open, over])
  await expect.poll(() => world.reports().map(({ id }) => id)).toEqual([over.id, open.id])
})

it('a run that goes on, and whose record cannot be read, is cancelled', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const run = aRun({ program: {}, is_cancelled: true })
  const supervisor = spawn('sleep', ['900'])
  try {
    const { startTicks, bootId } = identifyProcess(supervisor.pid ?? 0) ?? {}
    await mkdir(join(dir, 'runs', run.id), { recursive: true })
    await writeFile(join(dir, 'runs', run.id, 'run.json'), '{')
    const state = `supervisor ${supervisor.pid} ${startTicks} ${bootId}\nbegun 1000000\n`
    await writeFile(join(dir, 'runs', run.id, 'state'), state)
    await using _world = await startRuns(dir, [run])
    await expect.poll(() => supervisor.signalCode).toBe('SIGTERM')
  } finally {
    supervisor.kill('SIGKILL')
  }
})

it('what a run declares of its lines is known after a restart, whatever the server says by then; records of older agents declare nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const [old, run] = [aRun({ program: {} }), aRun({ program: {} })]
  const known = { recordedMs: 0, cgroup: null, closed: null, isSent: true, outputBytes: 0 }
  for (const { id } of [old, run]) await mkdir(join(dir, 'runs', id), { recursive: true })
  const first = { version: 1, readableFrom: 1, id: old.id, sliver: old.sliver, ...known }
  await writeFile(join(dir, 'runs', old.id, 'run.json'), JSON.stringify(first))
  const record = {
    id: run.id,
    sliver: run.sliver,
    ...known,
    points: [point('rtt', { up: bool() })],
  }
  await writeDocument(join(dir, 'runs', run.id, 'run.json'), runRecordFormat, record)
  const checks = createLineChecks()
  await using _world = await startRuns(dir, [], checks)
  const check = (id: string) => checks.check('1@3', { name: 'rtt', fields: { up: 1, run: id } })
  expect(check(run.id)).toBe('point rtt: field up must be true or false')
  expect(check(old.id)).toBeNull()
})
