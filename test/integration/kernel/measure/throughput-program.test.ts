import { uptime } from 'node:os'
import { expect, it } from 'vitest'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { throughputProgram } from '../../../../kernel/src/measure/throughput-program.ts'
import { dropFourth, rowsOf, runId, runOnLink, type EndProgram } from './link.ts'

/** What an agent tells a program of its clocks, of which the monotonic one is ahead. */
function clock(aheadS = 0): Readonly<Record<string, string>> {
  const offsetS = Date.now() / 1000 - uptime() - aheadS
  return {
    COMMUNITY_LAB_MONOTONIC_OFFSET_S: offsetS.toFixed(6),
    COMMUNITY_LAB_CLOCK_ERROR_S: '0.02',
  }
}

/** When the run of {@link runId} was made. */
const made = Date.UTC(2026, 4, 4, 12) / 1000

function program(at: 'a' | 'b', more: Readonly<Record<string, string | number>>): EndProgram {
  const options = {
    test_s: 2,
    slot_s: 4,
    gap_s: 4,
    lead_s: Math.ceil(Date.now() / 1000 - made + 2),
  }
  const both = { protocol: 'tcp', bits_per_second: 0 }
  return {
    at,
    sliver: at === 'a' ? '1@1' : '1@2',
    env: clock(),
    script: throughputProgram,
    settings: settings({ ...options, ...both, ...more }, [
      ['from', '1@1', 'n1', 'fd00::a'],
      ['to', '1@1', 'n1', 'fd00::a'],
      ['to', '1@2', 'n2', 'fd00::b'],
    ]),
  }
}

/** The link carries this many bits per second from a to b, Ethernet frames included. */
const linkBps = 8e6
const shape = `tc qdisc add dev w root tbf rate ${linkBps}bit burst 16kb latency 100ms`

it('sends UDP at the rate that was asked for, and counts what is lost', async () => {
  const udp = { protocol: 'udp', bits_per_second: 4e6 }
  const result = await runOnLink([program('b', udp), program('a', udp)], dropFourth)
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  const [test] = rowsOf(result, 'throughput_test')
  expect(test).toMatchObject({ peer: 'n2', protocol: 'udp', run: runId })
  const bps = (Number(test?.['sent_bytes']) * 8) / Number(test?.['length_s'])
  expect(bps / 4e6).toBeGreaterThan(0.9)
  expect(bps / 4e6).toBeLessThan(1.1)
  expect(Number(test?.['lost']) / Number(test?.['packets'])).toBeCloseTo(0.25, 1)
  expect(Number(test?.['received_bytes']) / Number(test?.['sent_bytes'])).toBeCloseTo(0.75, 1)
})

it('measures what TCP gets through a link, for each second and in all', async () => {
  const result = await runOnLink([program('b', {}), program('a', {})], shape)
  const [test] = rowsOf(result, 'throughput_test')
  // Of a frame of 1514 bytes, 1428 are payload. TCP needs a part of the second to find out how much it may send.
  const share = (Number(test?.['bytes_per_second']) * 8) / linkBps
  expect(share).toBeGreaterThan(0.3)
  expect(share).toBeLessThan(1.02)
  expect(rowsOf(result, 'throughput')[0]).toMatchObject({ peer: 'n2', start_s: 0 })
  expect(rowsOf(result, 'tool')).toMatchObject([{ tool: 'iperf3' }, { tool: 'iperf3' }])
})

it('takes turns by the time of the server, whatever the clocks of the slivers say', async () => {
  // The wall clocks are 100 s ahead of the server. The end that serves is there after the first try.
  const lead_s = Math.ceil(Date.now() / 1000 - made + 2) - 100
  const both = { protocol: 'udp', bits_per_second: 1e6, test_s: 1, lead_s }
  const ahead = { monotonicAheadS: 1000, env: clock(1000 + 102.3) }
  const other = { ...program('a', both), env: clock(100) }
  const result = await runOnLink([{ ...program('b', both), ...ahead }, other])
  expect(result).toMatchObject({ exitCode: 0, stderr: '' })
  expect(rowsOf(result, 'throughput_test')).toMatchObject([{ peer: 'n2', protocol: 'udp' }])
})

it('has a row of a test that failed, which says why, and tests nothing where the time is not known well enough to take turns', async () => {
  const none = { ...program('a', {}), env: {} }
  const bad = { ...program('a', {}), env: { ...clock(), COMMUNITY_LAB_CLOCK_ERROR_S: '3' } }
  const result = await runOnLink([program('a', { gap_s: 1 }), none, bad])
  expect(result.exitCode).toBe(1)
  expect(rowsOf(result, 'throughput_test')).toMatchObject([
    { peer: 'n2', error: expect.stringContaining('unable to connect') as unknown },
    { error: "the node does not know the server's time, by which tests take turns" },
    { error: "the node knows the server's time, by which tests take turns, to 3.0 s only" },
  ])
})
