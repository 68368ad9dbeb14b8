import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bool,
  filePartsOf,
  point,
  type FilesTarget,
  type RunReport,
  type RunTarget,
  type SampleRecord,
} from '@community-lab/contract'
import { expect, it } from 'vitest'
import type { ServerClock } from '../../../../agent/src/clock/node-clock.ts'
import { writeDocument } from '../../../../agent/src/disk/document.ts'
import { systemClock } from '../../../../agent/src/loop/clock.ts'
import { createLineChecks } from '../../../../agent/src/measurement/domain/line-checks.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createNodeProblems, type NodeProblems } from '../../../../agent/src/report/problems.ts'
import { openRuns } from '../../../../agent/src/run/node-runs.ts'
import { keptRecordFormat } from '../../../../agent/src/run/kept-record.ts'
import { runRecordFormat } from '../../../../agent/src/run/record.ts'
import { identifyProcess } from '../../../../agent/src/sliver/host/process.ts'
import type { FilesUse } from '../../../../agent/src/sliver/slivers.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aSliverTarget } from '../../../unit/agent/plan/situation.ts'
import { aRun, aTarget } from './world.ts'

const ended = 'begun 1000000\nended 2000000 0 - exited 3 0 1\n'

const unknownClock: ServerClock = {
  ...{ programClock: () => null, serverTime: () => null, monotonicAt: () => null },
}

/** The runs of a node without containers, in a folder that is removed at the end. */
interface World extends AsyncDisposable {
  readonly spool: Spool
  readonly problems: NodeProblems
  reports(): readonly RunReport[]
  /** Want these runs from now on. */
  want(runs: readonly RunTarget[]): void
  /** How often something that is reported has changed. */
  changes(): number
}

async function startRuns(
  dir: string,
  wanted: readonly RunTarget[],
  {
    checks = createLineChecks(),
    slivers = new FakeSlivers(),
    keepsFolder = false,
    serverClock = unknownClock,
  } = {},
): Promise<World> {
  const spool = await openSpool(join(dir, 'spool'))
  const problems = createNodeProblems()
  let changes = 0
  const runs = await openRuns({
    dir: join(dir, 'runs'),
    slivers,
    spool,
    appendAfter: (sample, marks) => Promise.resolve(spool.append([sample], { marks })),
    measureDir: () => dir,
    checks,
    problems,
    clock: systemClock,
    dateMs: Date.now,
    serverClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onChange: () => changes++,
  })
  const stop = new AbortController()
  runs.setTarget(aTarget([aSliverTarget({ id: '1@3' })], wanted))
  const running = runs.run(stop.signal).catch(() => undefined)
  return {
    spool,
    problems,
    reports: () => runs.reports(),
    want: (now) => runs.setTarget(aTarget([aSliverTarget({ id: '1@3' })], now)),
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
      await spool.close()
      if (!keepsFolder) await rm(dir, { recursive: true })
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
    .toEqual([
      [whole.id, 'yes'],
      [whole.id, undefined],
    ])
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

it('the supervisor of a run that waits is told of its start by the monotonic clock once the server’s time is known, and again when it is known better', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const run = aRun({ program: {}, start_at: '2100-01-01T00:00:00Z' })
  const { startTicks, bootId } = identifyProcess(process.pid) ?? {}
  const folder = join(dir, 'runs', run.id)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'state'), `supervisor ${process.pid} ${startTicks} ${bootId}\n`)
  const known = { recordedMs: 0, cgroup: null, closed: null, isSent: false, outputBytes: 0 }
  const record = { id: run.id, sliver: run.sliver, ...known }
  await writeDocument(join(folder, 'run.json'), runRecordFormat, record)
  let bootedUs: number | null = null
  const monotonicAt: ServerClock['monotonicAt'] = (serverUs) =>
    bootedUs === null
      ? null
      : { lowUs: serverUs - bootedUs - 100, highUs: serverUs - bootedUs + 300 }
  await using world = await startRuns(dir, [run], {
    serverClock: { ...unknownClock, monotonicAt },
  })
  const told = () => readFile(join(folder, 'start'), 'utf8').catch(() => '')
  const startUs = Date.UTC(2100) * 1000
  for (const at of [startUs - 5_000_000, startUs + 7_000_000]) {
    bootedUs = at
    world.want([run])
    await expect.poll(told).toBe(`${bootId} ${startUs - at + 100}\n`)
  }
  expect(await readdir(folder)).not.toContain('start.new')
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
  await using _world = await startRuns(dir, [], { checks })
  const check = (id: string) => checks.check('1@3', { name: 'rtt', fields: { up: 1, run: id } })
  expect(check(run.id)).toBe('point rtt: field up must be true or false')
  expect(check(old.id)).toBeNull()
})

/** The slivers of a node to which no archive comes until the test says so. */
class SlowFiles extends FakeSlivers {
  readonly asked = Promise.withResolvers<null>()
  readonly come = Promise.withResolvers<string>()
  /** The number of archives that were used or could not be had. */
  uses = 0

  override async useFiles(_files: FilesTarget, { task }: FilesUse): Promise<void> {
    this.asked.resolve(null)
    try {
      await task(await this.come.promise)
    } finally {
      this.uses++
    }
  }
}

async function startFetch(dir: string) {
  const files = { uri: '/files', sha256: 'a'.repeat(64), size_bytes: 5 }
  const run = aRun({ program: { argv: ['true'] }, files })
  const target = aSliverTarget({ id: run.sliver })
  const slivers = new SlowFiles()
  await slivers.allocate(target)
  await slivers.deploy(target)
  await slivers.start(target)
  const world = await startRuns(dir, [run], { slivers })
  await slivers.asked.promise
  world.want([{ ...run, is_cancelled: true, files: null }])
  const now = () => world.reports().find(({ id }) => id === run.id)
  await expect.poll(() => now()?.state).toBe('ended')
  // All of its output is in the spool.
  const record = () => readFile(join(dir, 'runs', run.id, 'run.json'), 'utf8')
  await expect.poll(record).toMatch(/"isSent": ?true/u)
  await expect.poll(() => world.spool.mark(`run ${run.id}`) ?? null).toBeNull()
  return { world, run, slivers }
}

it('files that come after their run has ended are not kept', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const { world, run, slivers } = await startFetch(dir)
  await using _world = world
  const archive = join(dir, 'archive')
  await writeFile(archive, 'files')
  slivers.come.resolve(archive)
  await expect.poll(() => slivers.uses).toBe(1)
  expect(await readdir(join(dir, 'runs', run.id))).not.toContain('files.tar')
})

it('files that do not come after their run has ended are no problem of the node', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const { world, slivers } = await startFetch(dir)
  await using _world = world
  slivers.come.reject(new Error('the server cannot be reached'))
  await expect.poll(() => slivers.uses).toBe(1)
  expect(world.problems.list()).toEqual([])
})

it('files go to the server in parts as it takes them, each once, also by the next agent', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-runs-'))
  const run = aRun({ program: {} })
  const folder = join(dir, 'runs', run.id)
  await mkdir(join(folder, 'kept'), { recursive: true })
  const known = { recordedMs: 0, cgroup: null, closed: null, isSent: false, outputBytes: 0 }
  const keep = { patterns: ['a', 'b', 'c'], sliceInstanceSn: 0, instanceSn: 0 }
  const record = { id: run.id, sliver: run.sliver, ...known, keep }
  await writeDocument(join(folder, 'run.json'), runRecordFormat, record)
  await writeFile(join(folder, 'state'), ended)
  const contents = [Buffer.alloc(1_200_000, 'x\0y'), Buffer.from('small')]
  for (const [nr, bytes] of contents.entries())
    await writeFile(join(folder, 'kept', String(nr)), bytes)
  const files = contents.map((bytes, nr) => {
    return { path: 'ab'.charAt(nr), bytes: bytes.length, sha256: 'digest', problem: null }
  })
  const missing = { path: 'c', bytes: null, sha256: null, problem: 'there is no such file' }
  await writeDocument(join(folder, 'kept.json'), keptRecordFormat, { files: [...files, missing] })
  const rows: SampleRecord[] = []
  /** Take rows as a server would, until there are so many bytes of the first file, or the end. */
  const take = async (world: World, bytes: number): Promise<void> => {
    await expect
      .poll(() => {
        const { spool } = world
        const next = spool.read(spool.firstSeq, 10_000, 64 * 1024 * 1024)
        // A spool that was opened again tells of some a second time.
        rows.push(...next.filter(({ seq }) => seq > (rows.at(-1)?.seq ?? 0)))
        spool.trim(next.at(-1)?.seq ?? 0)
        return contentOf(0).length >= bytes || rows.some(({ name }) => name === 'run_end')
      })
      .toBe(true)
  }
  const contentOf = (file: number): Buffer => {
    const own = rows.filter(({ fields }) => fields['run'] === filePartsOf(run.id, '1@3', file))
    const parts = own.map(({ fields: { text, base64 } }) =>
      Buffer.from((text ?? base64) as string, text === undefined ? 'base64' : 'utf8'),
    )
    return Buffer.concat(parts)
  }
  {
    await using first = await startRuns(dir, [run], { keepsFolder: true })
    await take(first, 1)
    expect(contentOf(0).length).toBeLessThan(600_000)
  }
  await using second = await startRuns(dir, [run])
  await take(second, Infinity)
  expect(contents.map((bytes, nr) => contentOf(nr).equals(bytes))).toEqual([true, true])
  const told = rows.filter(({ name }) => name === 'run_file').map(({ fields }) => fields)
  expect(told).toEqual([
    { run: run.id, file: 0, path: 'a', bytes: 1_200_000, sha256: 'digest' },
    { run: run.id, file: 1, path: 'b', bytes: 5, sha256: 'digest' },
    { run: run.id, file: 2, path: 'c', problem: 'there is no such file' },
  ])
  expect(rows.at(-1)?.name).toBe('run_end')
  await expect.poll(() => readdir(folder)).not.toContain('kept')
})
