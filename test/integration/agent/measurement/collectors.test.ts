import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kindOf, nodeMeasurements, type SampleRecord } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createCollectors } from '../../../../agent/src/measurement/collectors/collectors.ts'
import type { MeasuredSliver } from '../../../../agent/src/measurement/collectors/sliver-health.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { waitForRecords } from './world.ts'

const fixtures = fileURLToPath(new URL('../../../fixtures', import.meta.url))
const procRoot = join(fixtures, 'proc/node')

let dir = ''
let spool: Spool
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'collectors-'))
  spool = await openSpool(dir)
})
afterEach(async () => {
  await spool.close()
  await rm(dir, { recursive: true })
})

/** Collect until there are so many records, and return all. */
async function collect(
  slivers: readonly MeasuredSliver[],
  count: number,
  options: { procRoot?: string; babelSocket?: string; onProblem?: (name: string) => void } = {},
): Promise<SampleRecord[]> {
  const ending = new AbortController()
  const { signal } = ending
  const collectors = createCollectors({
    spool,
    intervalMs: 20,
    slivers: () => slivers,
    diskPath: dir,
    babelSocket: null,
    ...options,
    signal,
  })
  const records = await waitForRecords(spool, count)
  ending.abort()
  await collectors.ended
  return records
}

const fieldsOf = (records: readonly SampleRecord[], name: string) =>
  records.filter((record) => record.name === name).map(({ fields }) => fields)

it('measures a captured node: its health, its interfaces, its slivers', async () => {
  const cgroup = (path: string): string => join(fixtures, 'cgroup', path)
  const records = await collect(
    [
      {
        id: 'one@n1',
        pid: 100,
        cgroups: { memory: cgroup('v1/memory'), cpu: cgroup('v1/cpu'), pids: cgroup('v1/pids') },
      },
      { id: 'two@n1', pid: 100, cgroups: { unified: cgroup('v2') } },
      { id: 'three@n1', pid: 100, cgroups: {} },
      { id: 'gone@n1', pid: 999, cgroups: {} },
    ],
    6,
    { procRoot },
  )
  expect(records.every(({ source }) => source === 'node')).toBe(true)
  expect(fieldsOf(records, 'node_health')[0]).toMatchObject({
    cpu_user_seconds_total: 600.51,
    cpu_idle_seconds_total: 29_810.21,
    cpus: 2,
    memory_total_bytes: 8_149_656 * 1024,
    memory_available_bytes: 6_004_321 * 1024,
    load1: 0.52,
    load5: 1.25,
    load15: 2.03,
    uptime_seconds: 15_304.87,
  })
  const names = fieldsOf(records, 'node_network').map((fields) => fields['interface'])
  expect(names).not.toContain('slv-0a-01')
  expect(fieldsOf(records, 'node_network')[1]).toEqual({
    interface: 'eth0.12',
    receive_bytes_total: 98_765_432_109,
    receive_packets_total: 654_321,
    receive_errors_total: 3,
    receive_drops_total: 4,
    transmit_bytes_total: 12_345_678_901,
    transmit_packets_total: 123_456,
    transmit_errors_total: 1,
    transmit_drops_total: 2,
  })
  expect(fieldsOf(records, 'sliver_health').slice(0, 3)).toEqual([
    { sliver_id: 'one@n1', cpu_seconds_total: 12.5, memory_bytes: 7_340_032, processes: 4 },
    { sliver_id: 'two@n1', cpu_seconds_total: 2.5, memory_bytes: 1_048_576, processes: 3 },
    {
      sliver_id: 'three@n1',
      cpu_seconds_total: 7.3 + 0.1,
      memory_bytes: 1_572_864,
      processes: 2,
    },
  ])
})

it('measures this very machine, with a utilization from the second round on', async () => {
  const records = await collect([], 200)
  const health = fieldsOf(records, 'node_health')
  expect(health[0]).not.toHaveProperty('cpu_utilization_ratio')
  const ratios = health.flatMap((fields) => fields['cpu_utilization_ratio'] ?? [])
  expect(ratios.length).toBeGreaterThan(0)
  for (const ratio of ratios) {
    expect(ratio).toBeGreaterThanOrEqual(0)
    expect(ratio).toBeLessThanOrEqual(1)
  }
  expect(health[0]?.['disk_total_bytes']).toBeGreaterThan(Number(health[0]?.['disk_free_bytes']))
  expect(fieldsOf(records, 'node_network').map((fields) => fields['interface'])).toContain('lo')
})

it('goes on with the other collectors when one fails, and tells which', async () => {
  const failed = new Set<string>()
  const records = await collect([], 2, {
    procRoot: join(fixtures, 'proc/broken'),
    onProblem: (name) => failed.add(name),
  })
  expect(fieldsOf(records, 'node_network').length).toBeGreaterThan(0)
  expect([...failed]).toEqual(['node_health'])
})

it('measures what is declared, and nothing else', async () => {
  const slivers = [{ id: '3@1', pid: process.pid, cgroups: {} }]
  const babelSocket = join(dir, 'babel.sock')
  await using _babel = await answerAsBabel(babelSocket)
  const records = await collect(slivers, 12, { procRoot: '/proc', babelSocket })
  const found = new Map(records.map(({ name, fields }) => [name, fields]))
  // What is known of the clock comes from the clock itself.
  const collected = Object.keys(nodeMeasurements).filter((name) => name !== 'clock')
  expect([...found.keys()].toSorted()).toEqual(collected.toSorted())
  for (const [name, fields] of found)
    for (const [field, value] of Object.entries(fields))
      expect([name, field, kindOf(value)]).toEqual([name, field, nodeMeasurements[name]?.[field]])
})

/** Answer on a socket with what a real babeld said. */
async function answerAsBabel(socketPath: string): Promise<AsyncDisposable> {
  const dump = await readFile(join(fixtures, 'babel/dump.txt'), 'utf8')
  const greetingEnd = dump.indexOf('ok\n') + 3
  const server = createServer((socket) => {
    socket.write(dump.slice(0, greetingEnd))
    socket.on('data', () => socket.write(dump.slice(greetingEnd)))
  })
  server.listen(socketPath)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
