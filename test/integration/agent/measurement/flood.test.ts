import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SampleRecord } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createDrainer } from '../../../../agent/src/measurement/catcher/drainer.ts'
import {
  createStreamReader,
  defaultSampleRate,
  type StreamReader,
} from '../../../../agent/src/measurement/catcher/stream-reader.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { AppendOptions, Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createFolder, readSynced } from './world.ts'

const chunkBytes = 64 * 1024
/** As catchers move it: 64 KiB at a time. */
const timeUs = 1_800_000_000_000_000

/** A stream as a catcher leaves it, of which nothing has been read. */
async function writeStream(dir: string, content: Buffer, partBytes = chunkBytes): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, '0000000000000000.data'), content)
  let index = ''
  for (let end = 0; end < content.length;) {
    end = Math.min(content.length, end + partBytes)
    index += `${String(end).padStart(16, '0')} ${String(timeUs).padStart(16, '0')}\n`
  }
  await writeFile(join(dir, '0000000000000000.index'), index)
}

/** Number of samples in each frame that is appended. */
function countFrames(spool: Spool): readonly number[] {
  const frames: number[] = []
  const append = spool.append.bind(spool)
  spool.append = (samples, options?: AppendOptions) => {
    frames.push(samples.length)
    return append(samples, options)
  }
  return frames
}

async function countTurns(reader: StreamReader): Promise<number> {
  let turns = 1
  while (/more|some/u.test(await reader.turn())) turns++
  return turns
}

function linesOf(records: readonly SampleRecord[], name: string): number {
  return records
    .filter((record) => record.name === name)
    .reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
}

it('makes nothing of 2 MiB of newlines, in as many turns as it has parts', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'stream')
  await writeStream(dir, Buffer.alloc(2 * 1024 * 1024, '\n'))
  const frames = countFrames(spool)
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  expect(await countTurns(reader)).toBeLessThanOrEqual(9)
  await reader.drainLast()
  const records = await readSynced(spool)
  expect(records).toEqual([])
  expect(frames.length).toBeLessThanOrEqual(4)
  await spool.close()
})

it('takes what comes at once up to a bound, a bounded part in each turn, and counts the rest', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'stream')
  const written = defaultSampleRate.burst * 4
  const content = Array.from({ length: written }, (_, at) => `count value=${String(at)}\n`)
  await writeStream(dir, Buffer.from(content.join('')))
  const frames = countFrames(spool)
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  await countTurns(reader)
  await reader.drainLast()
  expect(Math.max(...frames)).toBeLessThanOrEqual(502)
  const records = await readSynced(spool)
  const taken = records.filter(({ name }) => name === 'count')
  expect(taken.map(({ fields }) => fields['value'])).toEqual(
    Array.from({ length: defaultSampleRate.burst }, (_, at) => at),
  )
  expect(taken.length + linesOf(records, 'rejected')).toBe(written)
  const rejected = records.filter(({ name }) => name === 'rejected')
  expect(rejected.length).toBeLessThanOrEqual(2)
  expect(rejected[0]?.fields).toMatchObject({ line: `count value=${defaultSampleRate.burst}` })
  await spool.close()
})

it('appends the end of a run after what it has written, also when it floods with lines of that name and others come after it', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'stream')
  const flood = 'x v=1\n'.repeat(1_000) + 'run_end run="r" exit_code=0\n'.repeat(300_000)
  await writeStream(dir, Buffer.from(flood))
  await writeFile(join(dir, 'dropped'), `${'7'.padStart(20, '0')}\n`)
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  const end = { time_us: timeUs, source: '1@1', name: 'run_end', fields: { run: 'r' } }
  const taken = reader.appendAfter(end, { ended: true })
  await writeStream(dir, Buffer.from(`${flood}${'x v=2\n'.repeat(10)}`))
  await countTurns(reader)
  expect(await taken).toBe(true)
  expect(spool.mark('ended')).toBe(true)
  const records = await readSynced(spool)
  const at = records.findIndex(({ name }) => name === 'run_end')
  const before = records.slice(0, at)
  expect(before.filter(({ name }) => name === 'x')).toHaveLength(1_000)
  expect(linesOf(before, 'rejected')).toBeGreaterThanOrEqual(300_000)
  expect(linesOf(before, 'dropped')).toBe(7)
  expect(records.filter(({ name }) => name === 'run_end')).toHaveLength(1)
  const unread = reader.appendAfter(end, {})
  reader.letGo()
  expect(await unread).toBe(false)
  await spool.close()
})

it('gives everyone a turn: a sliver that has written one line waits for one turn of one that floods', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const [flood, quiet] = [join(folder.path, 'flood'), join(folder.path, 'quiet')]
  const lines = Array.from({ length: 20_000 }, (_, at) => `count value=${String(at)}\n`)
  await writeStream(flood, Buffer.from(lines.join('')))
  await writeStream(quiet, Buffer.from('count value=1\n'))
  const frames: string[] = []
  const append = spool.append.bind(spool)
  const isOver = Promise.withResolvers<undefined>()
  spool.append = (samples, options) => {
    frames.push(samples[0]?.source ?? '')
    if (samples.at(-1)?.fields['value'] === 19_999) isOver.resolve(undefined)
    return append(samples, options)
  }
  const drainer = createDrainer({ onProblem: (error) => isOver.reject(error) })
  const members = [
    createStreamReader({ spool, dir: flood, markKey: 'catcher 1', source: '1@1' }),
    createStreamReader({ spool, dir: quiet, markKey: 'catcher 2', source: '2@1' }),
  ].map((reader) => drainer.add(reader))
  for (const member of members) member.ask()
  await isOver.promise
  expect(frames.indexOf('2@1')).toBe(1)
  expect(frames.filter((source) => source === '1@1').length).toBeGreaterThanOrEqual(40)
  for (const member of members) await member.stop()
  await spool.close()
})

it('tells of unreadable lines once in a second for each reason, with their number and one of them', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'stream')
  const content = `Bad\n${'no_value\n'.repeat(1000)}${'x v=1\n'.repeat(3)}`
  await writeStream(dir, Buffer.from(content))
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  while (/more|some/u.test(await reader.turn()));
  await reader.drainLast()
  const rejected = (await readSynced(spool)).filter(({ name }) => name === 'rejected')
  const told = new Map<unknown, number>()
  for (const { fields } of rejected)
    told.set(fields['line'], (told.get(fields['line']) ?? 0) + Number(fields['lines']))
  expect([...told]).toEqual([
    ['Bad', 1],
    ['no_value', 1000],
  ])
  expect(rejected.length).toBeLessThanOrEqual(3)
  await spool.close()
})

it('keeps nothing of a line without an end, and removes what it has read of it also when the spool is full', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'), { maxBytes: 64 * 1024 })
  const filler = { time_us: 1, source: 'node', name: 'filler', fields: { value: 1 } }
  while (spool.append([filler], { whenFull: 'refuse' }));
  const dir = join(folder.path, 'stream')
  await writeStream(dir, Buffer.alloc(1024 * 1024))
  await writeFile(join(dir, '0000000001048576.data'), '')
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  while (/more|some/u.test(await reader.turn()));
  expect(await readdir(dir)).toEqual(['0000000001048576.data'])
  await spool.close()
})
