import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { inspect } from 'node:util'
import { LabError } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Lab } from '../../../kernel/src/lab.ts'
import type { Slice } from '../../../kernel/src/sliver/slice.ts'
import { openLab } from './world/lab.ts'
import { startWorld, type World } from './world/testbed.ts'
import { eventually } from '../../support/eventually.ts'

let world: World
let lab: Lab
let slice: Slice

beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world)
  slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
  await slice.started()
})

afterAll(async () => {
  await lab.close()
  await world.close()
})

it('makes an SSH key that only its owner can read', async () => {
  expect((await stat(lab.sshKeyPath)).mode & 0o777).toBe(0o600)
})

it('runs a command on every sliver over one connection to each', async () => {
  const first = await slice.sh`echo ${'one  two'}; echo three >&2; exit 3`
  const tunnels = world.tunnels
  expect(first.map(({ node, exitCode }) => [node, exitCode])).toEqual([
    ['n1', 3],
    ['n2', 3],
  ])
  expect(first[0]).toMatchObject({
    stdout: 'one  two\n',
    stderr: 'three\n',
    ok: false,
    error: null,
  })
  expect(first.ok).toBe(false)
  expect((await slice.sh`true`).ok).toBe(true)
  expect(world.tunnels).toBe(tunnels)
})

it('passes a value as one argument, whatever its characters', async () => {
  const awkward = `a b'c"d $HOME; echo \`id\` *\n`
  const [result] = await slice.sh`printf %s ${awkward}`
  expect(result?.stdout).toBe(awkward)
})

it('connects again when connections broke between two commands', async () => {
  await slice.sh`true`
  world.breakTunnels()
  const results = await slice.sh`echo again`
  // One command may meet a connection whose break was not noticed. A command that was sent is never sent twice.
  for (const { error } of results)
    expect(error?.code ?? 'LAB_COMMAND_LOST').toBe('LAB_COMMAND_LOST')
  expect((await slice.sh`echo again`).map(({ stdout }) => stdout)).toEqual(['again\n', 'again\n'])
})

it('reports a sliver that was lost and keeps the results of the others', async () => {
  const results = slice.slivers.map((sliver, index) =>
    index === 0 ? sliver.exec('kill -9 $PPID; sleep 5') : sliver.exec('echo fine'),
  )
  const [lost, fine] = await Promise.all(results)
  expect(lost?.error?.code).toBe('LAB_COMMAND_LOST')
  expect([lost?.exitCode, fine?.stdout]).toEqual([null, 'fine\n'])
})

it('gives up a command that takes too long and keeps its output', async () => {
  const [result] = await slice.exec('echo early; sleep 30', { timeoutMs: 3_000 })
  expect(result?.error?.code).toBe('LAB_COMMAND_TIMEOUT')
  expect(result?.stdout).toBe('early\n')
})

it('obeys the interrupt of the cell that waits', async () => {
  const cell = new AbortController()
  const symbol = Symbol.for('community-lab.interrupt')
  Object.defineProperty(globalThis, symbol, { value: cell.signal, configurable: true })
  try {
    const running = slice.exec('sleep 30')
    setImmediate(() => cell.abort())
    await expect(running).rejects.toThrow(/abort/u)
  } finally {
    Reflect.deleteProperty(globalThis, symbol)
  }
})

it('transfers megabytes unchanged in both directions', async () => {
  const input = Buffer.alloc(5_000_000, 'abcdefghij')
  const [result] = await slice.exec('cat', { input })
  expect(result?.stdout.length).toBe(input.length)
  expect(result?.stdout === input.toString()).toBe(true)
})

it('connects only to a sliver that has the published host key', async () => {
  const [first] = slice.slivers
  const published = first?.hostKey ?? ''
  const other = world.slivers[1]?.hostKey ?? ''
  const actual = (key: string) => ({
    id: '1@1',
    nr: 1,
    state: 'started' as const,
    slice_instance_sn: 1,
    instance_sn: 1,
    interfaces: [],
    ssh_host_key: key,
    started_on: null,
    errors: [],
  })
  world.change(0, { actual: actual(other) })
  await slice.refresh()
  expect((await first?.exec('true'))?.error?.code).toBe('LAB_SSH_HOST_KEY')
  world.change(0, { actual: actual(published) })
  await slice.refresh()
  expect((await first?.exec('true'))?.ok).toBe(true)
})

it('uploads files with their modes', async () => {
  await slice.upload({ 'bin/probe': '#!/bin/sh\necho probed\n' }, '/tmp/an experiment', {
    mode: 0o755,
  })
  const results = await slice.sh`${'/tmp/an experiment/bin/probe'}`
  expect(results.map(({ stdout }) => stdout)).toEqual(['probed\n', 'probed\n'])
  await expect(slice.upload({ '../x': '' }, '/tmp')).rejects.toThrow(/path under/u)
})

it('a run goes on without the connection, and ends when all its rows have landed', async () => {
  const run = await slice.run('counting', {
    script:
      'for i in $(seq 1 100); do echo "step i=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; usleep 10000; done; cat note; exit 4',
    files: { note: 'bye' },
  })
  expect(world.uploads).toHaveLength(1)
  world.breakTunnels()
  world.breakStreams()
  const seen = await run.rows('step').take(1_000)
  expect(seen).toHaveLength(200)
  expect(new Set(seen.map((row) => `${String(row['node'])} ${String(row['i'])}`)).size).toBe(200)
  const outcomes = await run.done()
  expect([outcomes.ok, ...outcomes.map(({ exitCode }) => exitCode)]).toEqual([false, 4, 4])
  expect((await run.output()).map(({ text }) => text)).toEqual(['bye', 'bye'])
  const peer = 'n2'
  const rows =
    await run.sql`select node, count(*) as n, sum(i) as total, max(time) as last from step where node = ${peer} group by node`
  expect(rows).toMatchObject([{ node: 'n2', n: 100, total: 5050 }])
  expect(rows[0]?.['last']).toBeInstanceOf(Date)
})

it('ends a run early, with all processes that it started', async () => {
  const run = await slice.run('long', { script: 'sleep 300 & sleep 300' })
  await run.cancel()
  expect((await run.done()).map(({ exitCode }) => exitCode)).toEqual([143, 143])
})

it('names the nodes on which a run has not ended', async () => {
  const run = await slice.run('longer', { script: 'sleep 300' })
  const known = await run.done({ timeoutMs: 300 })
  expect(known.ok).toBe(false)
  expect(known.map(({ state, exitCode }) => [state, exitCode])).toEqual([
    ['running', null],
    ['running', null],
  ])
  expect(() => known.orThrow()).toThrow(/has not ended within 300 ms on n1, n2/u)
  await run.cancel()
  await run.done()
})

it('measures round trips: a row for each probe', async () => {
  const run = await slice.measure('rtt', { from: 'n1', to: 'n2', everyMs: 50, forMs: 1_000 })
  expect((await run.done()).ok).toBe(true)
  const rows = await run.sql<{ seq_no: number; rtt_s: number; lost: boolean; ttl: number }>`
    select seq_no, rtt_s, lost, ttl, peer from rtt order by seq_no`
  expect(rows.map((row) => row.seq_no)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
  expect(rows[0]).toMatchObject({ lost: false, ttl: 64, peer: 'n2' })
  expect(rows.every((row) => row.rtt_s >= 0 && row.rtt_s < 0.1)).toBe(true)
})

it('refuses impossible measurements before anything is sent', async () => {
  for (const everyMs of [0, 2.5, Number.NaN, Infinity])
    await expect(
      slice.measure('rtt', { from: 'n1', to: 'n2', everyMs, forMs: 1_000 }),
    ).rejects.toThrow(/everyMs/u)
  expect(() => slice.sliver('n9')).toThrow(/slivers on: n1, n2/u)
})

it('writes a run’s samples as files with a manifest', async () => {
  const run = await slice.run('short', {
    script: 'echo "step i=1 run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure',
  })
  await run.done()
  const folder = await mkdtemp('/var/tmp/dataset-')
  await run.export(folder)
  const manifest = JSON.parse(await readFile(path.join(folder, 'manifest.json'), 'utf8')) as unknown
  expect(manifest).toMatchObject({ run: run.id, slice_id: 1, nodes: ['n1', 'n2'] })
  const step = (await readFile(path.join(folder, 'step.parquet'))).subarray(0, 4).toString()
  expect(step).toBe('PAR1')
  await rm(folder, { recursive: true })
})

it('explains a failed query with the tables and columns that exist', async () => {
  const run = await slice.run('none', { script: 'true' })
  await run.done()
  const error = await run.sql`select * from steps`.catch((thrown: unknown) => thrown)
  expect(LabError.is(error, 'LAB_SQL_FAILED')).toBe(true)
  expect(String(error)).toContain('run_end')
  expect(String(error)).not.toContain('pg_')
  await expect(run.sql`select * from run_end where node = "n1_"`).rejects.toThrow(
    "Double quotes are for names of columns; write the text as 'n1_'",
  )
})

it('waits for slivers while they start, and names each that fails', async () => {
  world.change(0, { state: 'deployed' })
  world.change(1, { state: 'deployed' })
  await slice.refresh()
  const started = slice.started().catch((error: unknown) => error)
  world.change(0, { state: 'started' })
  world.change(1, { state: 'fail_start', errors: [{ member: '', message: 'no room left' }] })
  const error = await started
  expect(LabError.is(error, 'LAB_SLICE_FAILED')).toBe(true)
  expect(String(error)).toContain('n2 (1@2) is fail_start: no room left')
  world.change(1, { state: 'deployed', errors: [] })
  const late = await slice.started({ timeoutMs: 500 }).catch((thrown: unknown) => thrown)
  expect(LabError.is(late, 'LAB_SLICE_NOT_STARTED')).toBe(true)
  world.nodeStates.set('n2', 'safe')
  const held = await slice.started({ timeoutMs: 500 }).catch((thrown: unknown) => thrown)
  expect(String(held)).toContain('n2 (1@2) is deployed: the node is safe')
  world.nodeStates.clear()
  world.change(1, { state: 'started' })
  await slice.started()
})

it('ignores the container and the failure from before a change', async () => {
  const actual = world.objects[1]?.actual
  if (actual == null) throw new Error('it has started')
  world.change(1, { state: 'fail_start', instance_sn: 2, errors: [] })
  await slice.refresh()
  let isStarted = false
  const started = slice.started().then(() => (isStarted = true))
  // The server reports the old failure again, then the old container, then the new one.
  world.change(1, { state: 'started' })
  await expect.poll(() => slice.sliver('n2').state).toBe('started')
  const late = await slice.started({ timeoutMs: 300 }).catch((thrown: unknown) => thrown)
  expect(String(late)).toContain('n2 (1@2) is started, to be made again')
  expect(isStarted).toBe(false)
  world.change(1, { actual: { ...actual, instance_sn: 2 } })
  await started
  world.change(1, { instance_sn: 1, actual })
  await slice.refresh()
})

it('shows what a handle is and how it is asked, in place of an empty class', async () => {
  const health = await lab.health({ from: new Date('2030-01-01T00:00:00Z') })
  expect(inspect(health)).toContain('from 2030-01-01 00:00 UTC on\n  await health.tables()')
  expect(inspect(health.rows('node_health'))).toContain('await rows.take(10)')
  expect(inspect(lab.nodes)).toContain('await nodes.find()')
  expect(inspect(lab.slices)).toContain('await slices.list()')
})

it('is reset, and waits for its new containers', async () => {
  await slice.reset()
  // A command would go into a container that is about to be deleted.
  const early = await slice.sh`true`
  expect(early.map(({ error }) => String(error))).toEqual([
    expect.stringContaining('1@1 is started, to be made again, not started; wait for it'),
    expect.stringContaining('1@2 is started, to be made again, not started; wait for it'),
  ])
  const late = await slice.started({ timeoutMs: 300 }).catch((thrown: unknown) => thrown)
  expect(String(late)).toContain('n2 (1@2) is started, to be made again')
  world.remake(2)
  await slice.started()
  expect((await slice.sh`true`).ok).toBe(true)
})

it('knows when the slice expires, and renews it', async () => {
  expect(inspect(await lab.slices.list())).toContain('2030-01-01 00:00 UTC')
  expect(inspect(slice)).toContain('ends 2030-01-01 00:00 UTC')
  await slice.renew()
  expect(slice.expiresAt).toEqual(new Date('2031-01-01T00:00:00Z'))
  expect(inspect(slice)).toContain('ends 2031-01-01 00:00 UTC')
})

it('runs one program on one sliver and another on the others, with arguments and environment', async () => {
  const run = await slice.run('pair', {
    programs: [
      { on: 'n1', script: 'echo "server $1 $MODE"', args: ['a b'], env: { MODE: 'x' } },
      { on: ['n2'], script: 'cat note; echo "client $1"', args: [5], files: { note: 'n\n' } },
    ],
  })
  expect((await run.done()).ok).toBe(true)
  expect((await run.output()).map(({ text }) => text)).toEqual(['server a b x\n', 'n\nclient 5\n'])
  const one = await slice.run('one', { on: slice.sliver('n2'), script: 'true' })
  expect((await one.done()).map(({ node }) => node)).toEqual(['n2'])
  const twice = { programs: [{ on: 'n1', script: 'true' }, { script: 'true' }] }
  await expect(slice.run('twice', twice)).rejects.toThrow(/two for the sliver on n1/u)
})

it('reports lines that were not samples', async () => {
  const run = await slice.run('wrong', {
    on: 'n1',
    script: 'sleep 1; for i in 1 2; do echo "1 2 3" > /run/community-lab/measure; done; sleep 1',
  })
  const outcomes = await run.done()
  expect([outcomes.ok, outcomes[0]?.exitCode, outcomes[0]?.rejected]).toEqual([false, 0, 2])
  expect(outcomes[0]?.rejections[0]).toMatchObject({ lines: 2, line: '1 2 3' })
  outcomes.orThrow()
})

it('does not report lines of a run that had ended as those of the next one in the same second', async () => {
  const wrong = { on: 'n1', script: 'echo "1 2 3" > /run/community-lab/measure; sleep 0.1' }
  expect((await (await slice.run('also-wrong', wrong)).done())[0]?.rejected).toBe(1)
  const next = await slice.run('next', { on: 'n1', script: 'true' })
  expect((await next.done())[0]?.rejected).toBe(0)
})

it('says that a released slice is gone, and does nothing on none of its slivers', async () => {
  await using other = openLab(world)
  const released = await other.slices.get('first')
  await released.release()
  const calls = [
    () => released.sh`true`,
    () => released.upload({ a: 'x' }, '/tmp'),
    () => released.download('/etc/hosts', world.dir),
    () => released.run('late', { script: 'true' }),
    () => released.measure('rtt', { from: 'n1', to: 'n2', everyMs: 100, forMs: 1_000 }),
    () => released.traceroute('n1', 'n2'),
  ]
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'LAB_SLICE_GONE' })
  expect(() => released.sliver('n1')).toThrow(/released/u)
})

it('connects to each sliver as soon as it has started, so that the first command finds a connection', async () => {
  await using other = openLab(world)
  const before = world.tunnels
  world.change(1, { state: 'deployed' })
  const waiting = (
    await other.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
  ).started()
  await eventually(() => expect(world.tunnels).toBe(before + 1))
  world.change(1, { state: 'started' })
  const ready = await waiting
  await eventually(() => expect(world.tunnels).toBe(before + 2))
  expect((await ready.sh`true`).ok).toBe(true)
  expect(world.tunnels).toBe(before + 2)
})

it('reports what the server refuses', async () => {
  const stranger = openLab(world, 'wrong')
  await expect(stranger.slices.get('first')).rejects.toThrow(/ask the operator/u)
  await stranger.close()
})
