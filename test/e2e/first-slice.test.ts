import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect, type Lab } from '@community-lab/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { patienceMs } from '../support/eventually.ts'
import { startTestbed, testbedKinds, type RunningTestbed } from '../support/testbed.ts'

let testbed: RunningTestbed
let lab: Lab

describe.each(testbedKinds)('the testbed of %s', (as) => {
  beforeAll(async () => {
    testbed = await startTestbed({ nodes: 5, as })
    lab = connect(testbed.credentials)
  })

  afterAll(async () => {
    await lab.close()
    await testbed[Symbol.asyncDispose]()
  })

  it('brings every node of the virtual testbed into production', async () => {
    const nodes = await lab.nodes.find({ state: 'production' })
    expect(nodes.map((node) => node.name)).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'])
  })

  it('gives a slice whose slivers all answer, with output, exit codes and times', async () => {
    const nodes = await lab.nodes.find({ state: 'production' })
    const slice = await lab.slices.ensure('hello', { template: 'tiny', nodes })
    await slice.started({ timeoutMs: 60_000 })
    const results = await slice.sh`hostname`
    expect(results.map((result) => result.exitCode)).toEqual([0, 0, 0, 0, 0])
    expect(new Set(results.map((result) => result.stdout.trim())).size).toBe(5)
    await slice.release()
  })

  it('makes nothing twice when asked twice', async () => {
    const nodes = ['n1', 'n2']
    const first = await lab.slices.ensure('twice', { template: 'tiny', nodes })
    const second = await lab.slices.ensure('twice', { template: 'tiny', nodes })
    expect(second.id).toBe(first.id)
    expect(second.slivers.map((sliver) => sliver.id)).toEqual(
      first.slivers.map((sliver) => sliver.id),
    )
    await second.release()
  })

  it('keeps the answers of the others when one sliver fails', async () => {
    const slice = await lab.slices.ensure('partial', {
      template: 'tiny',
      nodes: ['n1', 'n2', 'n3'],
    })
    await slice.started()
    await slice.slivers[1]?.exec(['touch', '/root/odd'])
    const results = await slice.sh`test ! -e /root/odd`
    expect(results.map((result) => result.exitCode)).toEqual([0, 1, 0])
    await slice.release()
  })

  it('hands a value over as one argument, whatever is in it', async () => {
    const slice = await lab.slices.ensure('quoting', { template: 'tiny', nodes: ['n1'] })
    await slice.started()
    const awkward = `a b'c"d $HOME; echo \`id\` *`
    const results = await slice.sh`printf %s ${awkward}`
    expect(results.map((result) => result.stdout)).toEqual([awkward])
    await slice.release()
  })

  it('uploads files to every sliver', async () => {
    const slice = await lab.slices.ensure('upload', { template: 'tiny', nodes: ['n1', 'n2'] })
    await slice.started()
    await slice.upload({ 'probe.sh': '#!/bin/sh\necho probed\n' }, '/root/experiment', {
      mode: 0o755,
    })
    const results = await slice.sh`/root/experiment/probe.sh`
    expect(results.map((result) => result.stdout)).toEqual(['probed\n', 'probed\n'])
    await slice.release()
  })

  it('runs a hundred commands at once on one sliver, and leaves its servers running', async () => {
    const slice = await lab.slices.ensure('busy', { template: 'tiny', nodes: ['n1', 'n2'] })
    await slice.started()
    const [server, client] = slice.slivers
    if (server === undefined || client === undefined) throw new Error('two slivers were asked for')
    const numbers = Array.from({ length: 100 }, (_, index) => index)
    const results = await Promise.all(numbers.map((number) => server.sh`echo ${number}`))
    expect(results.map(({ stdout, error }) => error?.message ?? Number(stdout))).toEqual(numbers)
    const inTime = { timeoutMs: patienceMs }
    const daemons = server.sh(inTime)
    ;(await daemons`iperf3 -s -D; nohup ping -i 0.2 127.0.0.1 & echo $! > /tmp/pid`).orThrow()
    ;(await client.sh(inTime)`iperf3 -c ${server.address} -n 10K`).orThrow()
    ;(await server.sh`kill -0 $(cat /tmp/pid)`).orThrow()
    await slice.release()
  })

  it('lets commands wait for their turn where a sliver has few processes, and says what it lacks', async () => {
    const options = { template: 'tiny', nodes: ['n1'], processes: 12 }
    const slice = await lab.slices.ensure('narrow', options)
    await slice.started()
    const sliver = slice.sliver('n1')
    const results = await Promise.all(Array.from({ length: 30 }, () => sliver.sh`sleep 1`))
    expect(results.map(({ error }) => error?.message ?? null)).toEqual(results.map(() => null))
    const stop = new AbortController()
    const endless = Array.from({ length: 30 }, () =>
      sliver.exec('sleep 300', { signal: stop.signal }).catch(() => null),
    )
    const limited = (await Promise.all(endless.slice(-1)))[0]
    expect(limited?.error?.code).toBe('LAB_COMMAND_NOT_STARTED')
    stop.abort()
    await Promise.all(endless)
    await slice.release()
  })

  it('measures round trips and has every one of them in DuckDB', async () => {
    const slice = await lab.slices.ensure('ping', { template: 'tiny', nodes: ['n1', 'n5'] })
    await slice.started()
    const [from, to] = slice.slivers
    if (from === undefined || to === undefined) throw new Error('two slivers were asked for')
    const run = await slice.measure('rtt', { from, to, everyMs: 100, forMs: 2_000 })
    await run.done()
    const [row] =
      await run.sql`select count(*) as n, median(rtt_s) * 1e3 as rtt_ms from rtt where rtt_s is not null`
    expect(row?.['n']).toBeGreaterThanOrEqual(18)
    // n1 to n5 is two links of 5 ms each way.
    expect(row?.['rtt_ms']).toBeGreaterThan(19)
    expect(row?.['rtt_ms']).toBeLessThan(35)
    const ends = { from, to }
    const runs = await Promise.all([
      slice.measure('one-way', { from: 'all', to: 'all', everyMs: 100, forMs: 2_000 }),
      slice.measure('path', { ...ends, everyMs: 10_000, forMs: 10_000 }),
      slice.measure('throughput', { ...ends, testMs: 2_000 }),
      slice.measure('capture', { on: from, forMs: 5_000, protocol: 'udp' }),
      slice.measure('http', { ...ends, everyMs: 500, count: 5 }),
    ])
    await Promise.all(runs.map((each) => each.done()))
    const [oneWay, path, throughput, capture, http] = runs
    const outputs = await Promise.all(runs.map((each) => each.output('n1')))
    expect(outputs).toEqual(['', '', '', '', ''])
    // Two links of 5 ms; without root a relay delays packets, up to half a millisecond less. Both slivers have the same clock. Each has sent what the other has received or lost.
    const delays =
      await oneWay.sql`select source, min(delay_s) * 1e3 as ms, count(*) as n from one_way group by source order by source`
    expect(delays.map(({ source, n }) => [source, n])).toEqual([
      ['n1', 20],
      ['n5', 20],
    ])
    for (const { ms } of delays) {
      expect(ms).toBeGreaterThan(9.5)
      expect(ms).toBeLessThan(16)
    }
    const corrected =
      await oneWay.sql`select r.delay_s + r.clock_offset_s - s.clock_offset_s as delay_s, r.clock_error_s + s.clock_error_s as error_s
        from one_way r asof join one_way_sent s on s.node = r.source and s.peer = r.node and s.time <= r.time`
    expect(corrected).toHaveLength(40)
    const [found] = await path.sql`select hops, reached, nodes from path`
    expect(found).toMatchObject({ hops: 4, reached: true, nodes: 'n1 n2 n5' })
    // Links carry 20 Mbit/s. Of that, TCP needs some for headers, and time to find out.
    const [test] =
      await throughput.sql`select bytes_per_second * 8 / 1e6 as mbps from throughput_test`
    expect(test?.['mbps']).toBeGreaterThan(8)
    expect(test?.['mbps']).toBeLessThan(20)
    // A connection takes a round trip, and so does the first byte of an answer.
    const [fetched] =
      await http.sql`select count(*) as n, min(connect_s) * 1e3 as connect_ms, min(first_byte_s) * 1e3 as first_byte_ms, min(status) as status from http where not lost`
    expect([fetched?.['n'], fetched?.['status']]).toEqual([5, 200])
    for (const ms of [fetched?.['connect_ms'], fetched?.['first_byte_ms']]) {
      expect(ms).toBeGreaterThan(19)
      expect(ms).toBeLessThan(60)
    }
    const [captured] = await capture.sql`select packets, dropped, file_bytes from capture_end`
    expect(Number(captured?.['packets'])).toBeGreaterThan(0)
    expect(captured?.['dropped']).toBe(0)
    // A new kernel has the file, too.
    const again = await lab.runs.get(capture.name, { slice: slice.name })
    const folder = await mkdtemp(join(tmpdir(), 'cl-pcap-'))
    const file = await again.file('capture.pcap', { sliver: from, to: `${folder}/of-n1.pcap` })
    expect((await stat(file)).size).toBe(captured?.['file_bytes'])
    const files = ['server/cli/src/main.ts', 'runs', 'files', capture.name, '--to', folder]
    const env = { ...process.env, COMMUNITY_LAB_CREDENTIALS: testbed.ready.credentialsFile }
    await promisify(execFile)(process.execPath, files, { env })
    const written = join(folder, 'n1', 'capture.pcap')
    expect((await stat(written)).size).toBe(captured?.['file_bytes'])
    const { stdout } = await promisify(execFile)('tcpdump', ['-r', file])
    expect(stdout.trim().split('\n')).toHaveLength(Number(captured?.['packets']))
    await rm(folder, { recursive: true })
    expect(await again.files()).toMatchObject([{ node: 'n1', path: 'capture.pcap' }])
    await slice.release()
  })

  it('stores what any program writes to the measurement path', async () => {
    const slice = await lab.slices.ensure('freeform', { template: 'tiny', nodes: ['n1', 'n2'] })
    await slice.started()
    const run = await slice.run('counting', {
      script:
        'for i in $(seq 1 500); do echo "step i=$i word=\\"no $i\\" run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; done',
    })
    await run.done()
    const rows =
      await run.sql`select sliver, count(*) as n, count(distinct i) as distinct_n, sum(i) as total from step group by sliver`
    expect(rows).toHaveLength(2)
    for (const row of rows) expect(row).toMatchObject({ n: 500, distinct_n: 500, total: 125_250 })
    await slice.release()
  })

  it('streams the health of every node', async () => {
    const health = await lab.health()
    const rows =
      await health.sql`select node, count(*) as n, max(memory_total_bytes) as memory from node_health group by node order by node`
    expect(rows.map((row) => row['node'])).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'])
    for (const row of rows) expect(row['memory']).toBeGreaterThan(100e6)
  })
})
