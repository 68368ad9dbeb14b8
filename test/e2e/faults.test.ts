import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { JournalEntry, NodeInterval, NodeLastReport, path, routes } from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { patienceMs } from '../support/eventually.ts'
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
  await run.done({ timeoutMs: 60_000 })
  const rows =
    await run.sql`select sliver, count(*) as n, count(distinct i) as distinct_n from tick group by sliver order by sliver`
  expect(rows.map((row) => [row['n'], row['distinct_n']])).toEqual(Array(4).fill([300, 300]))
})

it('loses and doubles nothing when a node is cut off for a minute during a measurement', async () => {
  const run = await slice.run('through-a-cut', {
    script:
      'for i in $(seq 1 700); do echo "tock i=$i run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; usleep 100000; done',
  })
  await testbed.control.node('n3', 'cut')
  await new Promise((resolve) => setTimeout(resolve, 60_000))
  // A tutorial's first cell, run again meanwhile, takes nothing away.
  const ready = await lab.nodes.find({ state: 'production' })
  expect(ready.map(({ name }) => name)).not.toContain('n3')
  const same = await lab.slices.ensure('faults', { template: 'tiny', nodes: ready })
  expect((await same.started()).slivers.map(({ node }) => node)).toContain('n3')
  await testbed.control.node('n3', 'start')
  await run.done({ timeoutMs: 60_000 })
  const rows =
    await run.sql`select sliver, count(*) as n, count(distinct i) as distinct_n, max(i) as last from tock group by sliver order by sliver`
  expect(rows.map((row) => [row['n'], row['distinct_n'], row['last']])).toEqual(
    Array(4).fill([700, 700, 700]),
  )
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

it('brings a node and its sliver back after it was powered off', async () => {
  await testbed.control.node('n4', 'stop')
  await testbed.nodeIs('n4', 'offline')
  await testbed.control.node('n4', 'start')
  await testbed.nodeIs('n4', 'production')
  await slice.started()
  const results = await slice.sh`true`
  expect(results.map((result) => result.exitCode)).toEqual([0, 0, 0, 0])
  // What was is known, and ends where it has to: the sliver has two lives.
  const states = (await read(Type.Array(NodeInterval), path(routes.nodeHistory, { id: 4 }))).map(
    ({ state }) => state,
  )
  expect(states.slice(states.lastIndexOf('offline'))).toContain('production')
  const lives = await read(Type.Array(JournalEntry), `${routes.journal}?/node_name="n4"`)
  expect(lives.map(({ to }) => to === null)).toEqual([true, false])
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
