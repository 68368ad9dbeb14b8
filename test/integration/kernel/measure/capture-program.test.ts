import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { captureProgram } from '../../../../kernel/src/measure/capture-program.ts'
import { settings } from '../../../../kernel/src/measure/prober.ts'
import { rowsOf, runOnLink, type EndProgram } from './link.ts'

const run = promisify(execFile)
const options = { for_ns: 60e9, most_bytes: 1e6, most_packets: 1e5, snap: 96, interface: 'any' }

/** Captures packets of a, and ends after so many. */
const capture = (file: string, more: object): EndProgram => ({
  at: 'a',
  sliver: '1@1',
  script: captureProgram,
  settings: settings({ ...options, ...more, file }),
})
/** Pings until it is ended. */
const ping: EndProgram = {
  at: 'b',
  sliver: '1@2',
  script: '#!/bin/sh\nexec ping -n -q -i 0.02 fd00::a > /dev/null\n',
  background: true,
}

it('keeps packets in a file of pcap, and counts them by second and protocol', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'capture-'))
  try {
    const file = path.join(dir, 'c.pcap')
    const limits = { protocol: 'icmp6', most_packets: 20 }
    const result = await runOnLink([ping, capture(file, limits)])
    expect(result).toMatchObject({ exitCode: 0, stderr: '' })
    expect(rowsOf(result, 'capture_end')).toMatchObject([
      { packets: 20, dropped: 0, reason: 'packets' },
    ])
    const seconds = rowsOf(result, 'capture')
    const packets = seconds.map((row) => Number(row['packets']))
    expect(packets.reduce((sum, each) => sum + each, 0)).toBe(20)
    expect(new Set(seconds.map((row) => row['protocol']))).toEqual(new Set(['icmp6']))
    // Another program than ours reads it.
    const read = ['-r', file, '--count']
    const { stdout } = await run('tcpdump', read, { encoding: 'utf8' })
    expect(stdout).toMatch(/^20 packets/u)
  } finally {
    await rm(dir, { recursive: true })
  }
})

it('ends before its file is larger than it may be', async () => {
  const result = await runOnLink([ping, capture('c.pcap', { protocol: 'all', most_bytes: 1_000 })])
  const [end] = rowsOf(result, 'capture_end')
  expect(end).toMatchObject({ reason: 'bytes' })
  expect(Number(end?.['file_bytes'])).toBeLessThanOrEqual(1_000)
})
