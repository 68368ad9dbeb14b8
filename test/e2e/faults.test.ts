import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { JournalEntry, NodeInterval, NodeLastReport, path, routes } from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { localSystemCalls } from '../../agent/src/system-calls.ts'
import { eventually, patienceMs } from '../support/eventually.ts'
import { giveSmallDisk, storm } from '../support/faults/storm.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

let testbed: RunningTestbed
let lab: Lab
let slice: Slice

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 4 })
  lab = connect(testbed.credentials)
  slice = await lab.slices.ensure('faults', { template: 'tiny', nodes: ['n1', 'n2', 'n3', 'n4'] })
  await slice.started()
})

afterEach(async () => {
  await testbed.settled()
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

const bootTimes = async () => {
  const results = await slice.sh`cat /proc/1/stat`
  return results.map((result) => result.stdout.split(' ')[21])
}

it('keeps slivers running while their agent is killed, and finds them again', async () => {
  const before = await bootTimes()
  await testbed.control.node('n2', 'kill-agent')
  await testbed.settled()
  expect(await bootTimes()).toEqual(before)
  const [, second] = (await slice.refresh()).slivers
  expect(second?.state).toBe('started')
})

it('loses and doubles nothing when the server is killed in the middle of a run', async () => {
  const run = await slice.run('through-a-crash', {
    script:
      'for i in $(seq 1 300); do echo "tick i=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; usleep 20000; done',
  })
  await testbed.control.server('kill')
  await testbed.control.server('start')
  await run.done({ timeoutMs: Infinity })
  const rows =
    await run.sql`select sliver, count(*) as n, count(distinct i) as distinct_n from tick group by sliver order by sliver`
  expect(rows.map((row) => [row['n'], row['distinct_n']])).toEqual(Array(4).fill([300, 300]))
})

it('gives a run of the testbed whole to another kernel, with server, VPN and kernel away from its start to its end', async () => {
  const first = connect(testbed.credentials)
  const nodes = ['n1', 'n2', 'n3', 'n4']
  const started = await (
    await first.slices.ensure('faults', { template: 'tiny', nodes })
  ).run({
    name: 'alone',
    programs: [
      {
        script:
          'for i in $(seq 1 100); do echo "tack i=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; echo "line $i"; usleep 20000; done; exit 5',
      },
    ],
    startAt: new Date(Date.now() + 15_000),
  })
  const stateOf = async (node: string): Promise<string> =>
    readFile(join(testbed.home, 'vct', 'nodes', node, 'runs', started.id, 'state'), 'utf8').catch(
      () => '',
    )
  const allAre = (word: string) =>
    expect
      .poll(
        async () => (await Promise.all(nodes.map(stateOf))).every((text) => text.includes(word)),
        {
          timeout: patienceMs,
        },
      )
      .toBe(true)
  await allAre('started ')
  await first.close()
  await testbed.control.server('kill')
  await testbed.control.node('n3', 'cut')
  await testbed.control.node('n2', 'kill-agent')
  await allAre('ended ')
  await testbed.control.server('start')
  await testbed.control.node('n3', 'start')
  const run = await lab.runs.get('alone')
  expect(run.id).toBe(started.id)
  const parts = await run.done()
  expect(parts.map(({ exitCode, reason }) => [exitCode, reason])).toEqual(
    Array(4).fill([5, 'exited']),
  )
  const rows =
    await run.sql`select sliver, count(*) as n, count(distinct i) as distinct_n from tack group by sliver order by sliver`
  expect(rows.map((row) => [row['n'], row['distinct_n']])).toEqual(Array(4).fill([100, 100]))
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index + 1}\n`).join('')
  for (const node of nodes) expect(await run.output(node)).toBe(lines)
  await run.close()
})

it('gives rows the right time on nodes whose clocks are wrong, and flags exactly those that a step of the clock has touched', async () => {
  const virtual = lab.virtual()
  const steps = { n2: 20, n3: -20 }
  const calls = localSystemCalls()
  // Each line has the real time at which it is written: slivers have the clock of this machine.
  const program = `$| = 1; for my $i (1 .. 400) { my $t = "\\0" x 16; syscall(${calls?.clockGettime}, 0, $t); my ($s, $ns) = unpack("l!2", $t);
    printf("mark i=%d at_s=%d.%09d run=\\"%s\\"\\n", $i, $s, $ns, $ENV{COMMUNITY_LAB_RUN}); select(undef, undef, undef, 0.02) }`
  try {
    await virtual.setClock('n1', { aheadS: 40 })
    await virtual.setClock('n4', { aheadS: -4000 })
    const clocks = await lab.health({ from: new Date(Date.now() - 3 * 3_600_000) })
    const stepsOf = () =>
      clocks.sql<{ node: string; step_s: number; from_s: number; to_s: number }>`
        select node, step_s, epoch_us(time) / 1e6 - moved_s - unsure_s as from_s, epoch_us(time) / 1e6 - moved_s as to_s
        from clock where step_s is not null order by time`
    const stepped = async (node: string) =>
      (await stepsOf()).filter((one) => one.node === node).at(-1)
    for (const node of ['n1', 'n4'])
      await expect.poll(() => stepped(node), { timeout: patienceMs }).toBeDefined()
    const startAt = new Date(Date.now() + 2_000)
    const run = await slice.run({
      name: 'wrong-clocks',
      startAt,
      programs: [{ script: `exec perl -e '${program}' > /run/community-lab/measure` }],
    })
    await run.rows('mark').take(40)
    const between = new Map<string, readonly [number, number]>()
    for (const [node, aheadS] of Object.entries(steps)) {
      const before = Date.now() / 1000
      await virtual.setClock(node, { aheadS })
      await expect.poll(() => stepped(node), { timeout: patienceMs }).toBeDefined()
      between.set(node, [before, Date.now() / 1000])
    }
    await run.done()
    expect(await run.output('n1')).toBe('')
    const rows = await run.sql<{
      node: string
      i: number
      at_s: number
      time_s: number
      node_s: number
      time_error_s: number | null
      clock_step: boolean
    }>`select node, i, at_s, epoch_us(time) / 1e6 as time_s, epoch_us(time_node) / 1e6 as node_s, time_error_s, clock_step from mark order by i`
    expect(rows).toHaveLength(1600)
    for (const { time_s: timeS, at_s: atS, time_error_s: errorS } of rows) {
      expect(errorS).not.toBeNull()
      // It has begun by the server's time, which is that of this machine.
      expect(atS - startAt.getTime() / 1000).toBeGreaterThanOrEqual(-(errorS ?? 0))
      expect(timeS - atS).toBeGreaterThanOrEqual(-(errorS ?? 0) - 1e-6)
      // A line may wait on a busy machine; the clocks are wrong by more than that.
      expect(timeS - atS).toBeLessThan(10)
    }
    for (const node of ['n1', 'n2', 'n3', 'n4'] as const) {
      const own = rows.filter((row) => row.node === node)
      const touched = own.filter((row) => row.clock_step).map(({ i }) => i)
      const [before, after] = between.get(node) ?? []
      if (before === undefined || after === undefined) {
        expect(touched).toEqual([])
        continue
      }
      const step = await stepped(node)
      expect(step?.step_s).toBeCloseTo(node === 'n2' ? 20 : -20, 1)
      const { from_s: fromS, to_s: toS } = step ?? { from_s: 0, to_s: 0 }
      const expected = own.filter((row) => row.node_s > fromS && row.node_s <= toS)
      expect(touched).toEqual(expected.map(({ i }) => i))
      expect(touched.length).toBeGreaterThan(0)
      const times = own.filter(({ i }) => touched.includes(i)).map((row) => row.at_s)
      expect(Math.min(...times)).toBeLessThan(after)
      expect(Math.max(...times)).toBeGreaterThan(before - 1)
    }
    await clocks.close()
    await run.close()
  } finally {
    for (const node of ['n1', 'n2', 'n3', 'n4']) await virtual.setClock(node, { aheadS: 0 })
  }
})

it('brings a node and its sliver back after it was powered off', async () => {
  await testbed.control.node('n4', 'stop')
  await testbed.nodeIs('n4', 'offline')
  // A tutorial's first cell, run again meanwhile, takes nothing away.
  const ready = await lab.nodes.find({ state: 'production' })
  expect(ready.map(({ name }) => name)).not.toContain('n4')
  const same = await lab.slices.ensure('faults', { template: 'tiny', nodes: ready })
  expect((await same.started()).slivers.map(({ node }) => node)).toContain('n4')
  // The next test fills it.
  await giveSmallDisk(testbed.podPid, 'n4')
  await testbed.control.node('n4', 'start')
  await testbed.nodeIs('n4', 'production')
  // The server may not know yet that the sliver of before is not there any more.
  await eventually(async () => {
    await slice.started()
    const results = await slice.sh`true`
    expect(results.map(({ exitCode, error }) => error?.message ?? exitCode)).toEqual([0, 0, 0, 0])
  })
  // What was is known, and ends where it has to: the sliver has two lives.
  const states = (await read(Type.Array(NodeInterval), path(routes.nodeHistory, { id: 4 }))).map(
    ({ state }) => state,
  )
  expect(states.slice(states.lastIndexOf('offline'))).toContain('production')
  const lives = await read(Type.Array(JournalEntry), `${routes.journal}?/node_name="n4"`)
  expect(lives.map(({ to }) => to === null)).toEqual([true, false])
})

it('has each line once that slivers wrote, or tells it as lost, whoever is killed, cut off or has a full disk meanwhile', async () => {
  const seed = Date.now() % 100_000
  const wrote = 20 * 200
  const weathered = await storm({
    ...{ testbed, slice, name: 'storm', seconds: 20, perSecond: 200, cutS: 8, kills: 6 },
    ...{ filled: 'n4', seed },
  })
  expect([seed, weathered.map(({ node, written }) => [node, written])]).toEqual([
    seed,
    ['n1', 'n2', 'n3', 'n4'].map((node) => [node, wrote]),
  ])
  for (const { node, rows, distinct, told } of weathered) {
    expect([seed, node, distinct]).toEqual([seed, node, rows])
    // Only the full disk may lose lines, and they are told.
    expect([seed, node, rows + told]).toEqual([seed, node, wrote])
    if (node !== 'n4') expect([seed, node, told]).toEqual([seed, node, 0])
  }
})

it('stops slivers as the owner says on the device, and starts them again with their files', async () => {
  await slice.sh`echo kept > /root/kept`
  const owner = async (...words: string[]) => {
    const env = {
      ...process.env,
      COMMUNITY_LAB_AGENT_DATA: join(testbed.home, 'vct', 'nodes', 'n3'),
    }
    await promisify(execFile)('agent/bin/community-lab-agent', ['owner', ...words], { env })
  }
  await owner('safe', '--reason', 'moving house')
  await testbed.nodeIs('n3', 'safe')
  await testbed.sliverIs('1@3', 'deployed')
  const { current, data } = await read(NodeLastReport, path(routes.nodeState, { id: 3 }))
  expect(current).toBe('safe')
  expect(data?.errors.map(({ message }) => message).join()).toContain('moving house')
  await owner('production')
  await testbed.sliverIs('1@3', 'started')
  await slice.started()
  const results = await slice.sh`cat /root/kept`
  expect(results.map(({ stdout }) => stdout)).toEqual(Array(4).fill('kept\n'))
})

async function read<S extends TSchema>(schema: S, route: string): Promise<Static<S>> {
  const answer = await fetch(testbed.credentials.url + route)
  return Value.Parse(schema, await answer.json())
}
