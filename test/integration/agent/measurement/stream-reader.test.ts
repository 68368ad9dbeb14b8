import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  createStreamReader,
  type StreamReader,
} from '../../../../agent/src/measurement/catcher/stream-reader.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { createFolder, readAll } from './world.ts'

const lines = ['count value=1\n', 'count value=2\n', 'count value=3\n', 'count value=4\n'] as const
const segmentEnd = lines.join('').length
const entry = (end: number, timeUs: number): string =>
  `${String(end).padStart(16, '0')} ${String(timeUs).padStart(16, '0')}\n`

async function drain(reader: StreamReader): Promise<void> {
  while (/more|some/u.test(await reader.turn()));
}

it('reads what the index does not tell of when nobody writes the segment any more, at the time of its last bytes', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = folder.path
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  const read = (): unknown[] => readAll(spool).map((r) => [r.fields['value'], r.time_us])

  // The second entry is torn, and all later ones are not where they should be.
  await writeFile(join(dir, '0000000000000000.data'), lines.join(''))
  await utimes(join(dir, '0000000000000000.data'), 100, 100)
  const torn = entry(28, 2).slice(0, 16) + entry(42, 3) + entry(56, 4)
  await writeFile(join(dir, '0000000000000000.index'), entry(14, 1) + torn)
  await drain(reader)
  await spool.sync()
  expect(read()).toEqual([[1, 1]])

  const next = String(segmentEnd).padStart(16, '0')
  await writeFile(join(dir, `${next}.data`), 'count value=5\ncount value=6\n')
  await utimes(join(dir, `${next}.data`), 200, 200)
  await writeFile(join(dir, `${next}.index`), entry(segmentEnd + 14, 150_000_000))
  await drain(reader)
  await spool.sync()
  const ofFirst = [2, 3, 4].map((value) => [value, 100_000_000])
  expect(read()).toEqual([[1, 1], ...ofFirst, [5, 150_000_000]])

  await reader.drainLast()
  await reader.drainLast()
  await spool.sync()
  expect(read()).toEqual([[1, 1], ...ofFirst, [5, 150_000_000], [6, 200_000_000]])
  await spool.close()
})

/** Read what a catcher had moved when the power went: the values of its samples, and what was refused. */
async function readAfterPowerCut(dir: string, spool: Spool) {
  const place = { spool, dir, markKey: 'catcher 1', source: '1@1', wasCut: true }
  await createStreamReader(place).drainLast()
  await spool.sync()
  const of = (wanted: string) =>
    readAll(spool).flatMap(({ name, fields }) => (name === wanted ? [fields] : []))
  return { values: of('count').map(({ value }) => value), rejected: of('rejected') }
}

it('makes no sample of what a power cut has left of a line, and tells of what it has taken', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = folder.path
  // The catcher had moved 200 bytes. Of these, a part in the middle and the end were not on the disk.
  const data = `count value=1 peer=n1\ncount value=2 peer=n\0\0\0three\ncount value=4\ncount value=5`
  await writeFile(join(dir, '0000000000000000.data'), data)
  await writeFile(join(dir, '0000000000000000.index'), `${entry(30, 1)}${entry(200, 2)}\0\0\0`)
  const { values, rejected } = await readAfterPowerCut(dir, spool)
  expect(values).toEqual([1, 4])
  expect(rejected).toEqual([
    {
      reason: expect.stringContaining('lost its power') as string,
      lines: 1,
      line: expect.stringContaining('value=2') as string,
    },
    { reason: expect.stringContaining(`${200 - data.length} bytes`) as string, lines: 1, line: '' },
    {
      reason: expect.stringContaining('lost its power') as string,
      lines: 1,
      line: 'count value=5',
    },
  ])
  await spool.close()
})

it.each([
  { what: 'nothing tells of', index: '' },
  { what: 'the index tells of', index: entry(14, 1) + entry(100, 2) },
])(
  'joins no line with what comes after bytes that a power cut has taken, and $what',
  async ({ index }) => {
    await using folder = await createFolder()
    const spool = await openSpool(join(folder.path, 'spool'))
    const dir = folder.path
    // The end of the first segment was not on the disk; the second one, which begins within a line, was.
    const data = 'count value=1\ncount value=2'
    await writeFile(join(dir, '0000000000000000.data'), data)
    await writeFile(join(dir, '0000000000000000.index'), index)
    await writeFile(join(dir, '0000000000000100.data'), '3\ncount value=4\n')
    await writeFile(join(dir, '0000000000000100.index'), entry(116, 3))
    const { values, rejected } = await readAfterPowerCut(dir, spool)
    expect(values).toEqual([1, 4])
    expect(rejected).toEqual([
      {
        reason: expect.stringContaining(`${100 - data.length} bytes`) as string,
        lines: 1,
        line: '',
      },
      {
        reason: expect.stringContaining('lost its power') as string,
        lines: 1,
        line: expect.stringContaining('count value=2') as string,
      },
    ])
    await spool.close()
  },
)

it('has told of every line that was refused or lost when it tells that a run has ended', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = folder.path
  const reader = createStreamReader({ spool, dir, markKey: 'catcher 1', source: '1@1' })
  let data = ''
  let index = ''
  const startUs = Date.now() * 1000
  /** Let lines come so many milliseconds after the start, and read them. */
  async function come(lines: string, afterMs: number): Promise<void> {
    data += lines
    index += entry(data.length, startUs + afterMs * 1000)
    await writeFile(join(dir, '0000000000000000.data'), data)
    await writeFile(join(dir, '0000000000000000.index'), index)
    await drain(reader)
  }

  await come('count value=12ms\n', 0)
  await come('count value=0,5\ncount value=12ms\n', 1)
  await come('count value=12ms\n', 2)
  await writeFile(join(dir, 'dropped'), `${'7'.padStart(20, '0')}\n`)
  const last = { time_us: startUs + 3_000, source: '1@1', name: 'run_end', fields: { run: 'r' } }
  const taken = reader.appendAfter(last, {})
  await drain(reader)
  expect(await taken).toBe(true)
  await spool.sync()

  const rows = readAll(spool)
  const end = rows.findIndex(({ name }) => name === 'run_end')
  const before = rows.slice(0, end)
  const count = (name: string): number =>
    before
      .filter((row) => row.name === name)
      .reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
  expect(count('rejected')).toBe(4)
  expect(count('dropped')).toBe(7)
  expect(rows.slice(end + 1)).toEqual([])
  await spool.close()
})
