import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { parseLine } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { rttProgram } from '../../../../kernel/src/measure/rtt-program.ts'

const run = promisify(execFile)
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'rtt-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** Run the program in busybox's shell, as in a small template. A ping that prints `lines` replaces the network. */
async function samples(lines: readonly string[] | null, address = '::1', count = 4) {
  const to = path.join(dir, 'out')
  await writeFile(to, '')
  let script = rttProgram({
    peers: [
      { sliver: '1@1', name: 'n1', address },
      { sliver: '1@2', name: 'n2', address },
    ],
    everyMs: 500,
    count,
    to,
  })
  if (lines !== null) {
    await writeFile(path.join(dir, 'printed'), lines.join('\n') + '\n')
    script = script.replace(/\$ping -n [^|]*2>&1/u, `cat ${dir}/printed`)
  }
  // Each `>` truncates a file but not a pipe, so append to the file.
  script = script.replaceAll('> fifo', '>> fifo')
  await writeFile(path.join(dir, 'probe'), script)
  const done = await run('busybox', ['sh', 'probe'], {
    cwd: dir,
    env: { ...process.env, COMMUNITY_LAB_RUN: 'r', COMMUNITY_LAB_SLIVER: '1@1' },
  }).then(
    () => 0,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : null),
  )
  const text = await readFile(to, 'utf8')
  const rows = text.split('\n').filter((line) => line !== '')
  const fields = rows.map((line) => {
    const parsed = parseLine(line)
    if (!parsed.ok) throw new Error(parsed.reason)
    return parsed.fields
  })
  return { exitCode: done, fields }
}

const answer = (seq: number, more = '') =>
  `64 bytes from ::1: icmp_seq=${seq} ttl=62 time=20.5 ms${more}`
const silent = (seq: number) => `no answer yet for icmp_seq=${seq}`

it('makes a sample of each probe, with the peer and the run', async () => {
  const { exitCode, fields } = await samples(null)
  expect(exitCode).toBe(0)
  expect(fields.map((field) => field['seq_no'])).toEqual([1, 2, 3, 4])
  expect(fields[0]).toMatchObject({ lost: false, ttl: 64, peer: 'n2', run: 'r' })
})

it('makes a sample without a time of each probe that got no answer, including the last ones', async () => {
  const lines = [
    answer(1),
    silent(2),
    silent(3),
    answer(4),
    answer(5),
    '7 packets transmitted, 3 received',
  ]
  const { fields } = await samples(lines, '::1', 7)
  const lost = fields.filter((field) => field['lost'])
  expect(lost.map((field) => field['seq_no'])).toEqual([2, 3, 6, 7])
  expect(lost.every((field) => !('rtt_s' in field))).toBe(true)
  expect(fields.find((field) => field['seq_no'] === 4)?.['rtt_s']).toBe(0.0205)
})

it('waits a second before it counts a probe as lost, and marks late and duplicate answers', async () => {
  const lines = [
    silent(1),
    answer(1),
    answer(2),
    silent(3),
    answer(4),
    answer(5),
    answer(6),
    answer(3),
    answer(6, ' (DUP!)'),
  ]
  const { fields } = await samples([...lines, '6 packets transmitted, 6 received'], '::1', 6)
  expect(fields.filter((field) => field['seq_no'] === 1)).toMatchObject([{ lost: false }])
  expect(fields.filter((field) => field['seq_no'] === 3)).toMatchObject([
    { lost: true },
    { late: true },
  ])
  expect(fields.filter((field) => field['duplicate'])).toMatchObject([{ seq_no: 6 }])
})

it('goes on counting when ping’s sequence numbers begin again', async () => {
  const lines = [65534, 65535, 0, 1].map((seq) => answer(seq))
  const { fields } = await samples(lines)
  expect(fields.slice(-2).map((field) => field['seq_no'])).toEqual([65536, 65537])
})

it('fails when no probe could be sent', async () => {
  const { exitCode, fields } = await samples(['ping: connect: Network is unreachable'])
  expect([exitCode, fields]).toEqual([1, []])
})
