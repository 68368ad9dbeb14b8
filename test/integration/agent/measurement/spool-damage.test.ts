import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openMeasuring } from '../../../../agent/src/measurement/measuring.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { encodeFrame } from '../../../../agent/src/measurement/spool/frame.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import { readSynced, sampleOf } from './world.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

it('fills what is damaged on disk with dropped records, so that no seq is missing', async () => {
  const spool = await openSpool(dir, { maxBytes: 16_384 })
  for (let value = 1; value <= 60; value++) spool.append([sampleOf(value)])
  await spool.close()
  const [oldest = ''] = (await readdir(dir)).filter((name) => name.endsWith('.spool')).sort()
  await truncate(join(dir, oldest), 1000)
  const again = await openSpool(dir, { maxBytes: 16_384 })
  const records = await readSynced(again)
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1))
  expect(records.filter(({ name }) => name === 'dropped').length).toBeGreaterThan(3)
  expect(records.at(-1)?.name).toBe('count')
  await again.close()
})

it('numbers on after what is damaged in its newest segment, and loses that alone', async () => {
  const spool = await openSpool(dir)
  for (let value = 1; value <= 100; value++) spool.append([sampleOf(value)])
  await spool.close()
  const [name = ''] = await readdir(dir)
  const content = await readFile(join(dir, name))
  const stored = Buffer.alloc(8)
  stored.writeDoubleLE(50)
  content[content.indexOf(stored) + 6] = 0x50
  await writeFile(join(dir, name), content)
  const again = await openSpool(dir)
  expect(again.lastSeq).toBe(100)
  for (let value = 101; value <= 140; value++) again.append([sampleOf(value)])
  const records = await readSynced(again)
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 140 }, (_, at) => at + 1))
  expect(records.filter(({ name: of }) => of === 'dropped').map(({ seq }) => seq)).toEqual([50])
  expect(records[139]?.fields).toEqual({ value: 140 })
  await again.close()
})

/** A text that is a frame of an agent, as a program in a sliver can write it: no byte of it is beyond ASCII. */
function plantedFrame(firstSeq: number): string {
  for (let value = 0; ; value++) {
    const sample = { ...sampleOf(value), name: 'planted' }
    const frame = encodeFrame(firstSeq, 1, { samples: [sample], marks: { position: 'planted' } })
    if (frame.every((byte) => byte < 0x80)) return frame.toString('latin1')
  }
}

it.each(['a sample', 'the head'])(
  'takes no text of a sample for a part of its file when %s is damaged',
  async (what) => {
    const spool = await openSpool(dir)
    spool.append([sampleOf(1)])
    spool.append([sampleOf(plantedFrame(1_000_000))])
    spool.append([sampleOf(3)], { marks: { position: 3 } })
    await spool.close()
    if (what === 'the head') await damageHead(dir)
    else {
      const [name = ''] = (await readdir(dir)).filter((file) => file.endsWith('.spool'))
      const content = await readFile(join(dir, name))
      const at = content.indexOf('planted') - 200
      content.writeUInt8(content.readUInt8(at) ^ 1, at)
      await writeFile(join(dir, name), content)
    }
    const again = await openSpool(dir)
    expect([again.lastSeq, again.mark('position')]).toEqual([3, 3])
    const records = await readSynced(again)
    expect(records.map(({ seq, name }) => [seq, name])).toEqual([
      [1, 'count'],
      [2, what === 'the head' ? 'count' : 'dropped'],
      [3, 'count'],
    ])
    await again.close()
  },
)

it('sets a segment with a damaged head aside, and goes on with what is behind the head', async () => {
  const spool = await openSpool(dir)
  for (let value = 1; value <= 5; value++)
    spool.append([sampleOf(value)], { marks: { position: value } })
  await spool.close()
  const damaged = await damageHead(dir)
  const problems: unknown[] = []
  const again = await openSpool(dir, { onProblem: (error) => problems.push(error) })
  const values = [1, 2, 3, 4, 5].map((value) => ({ seq: value, ...sampleOf(value) }))
  expect(await readSynced(again)).toEqual(values)
  // Which spool it was is not known any more.
  expect([again.id === spool.id, again.mark('position')]).toEqual([false, 5])
  await again.close()
  expect(problems).toMatchObject([{ code: 'LAB_AGENT_SPOOL_DAMAGED' }])
  const kept = (await readdir(dir)).filter((name) => name.includes('.unreadable-'))
  expect(await readFile(join(dir, kept[0] ?? ''))).toEqual(damaged)
})

it('goes on with the numbers of older segments when the newest one has a damaged head', async () => {
  const spool = await openSpool(dir, { maxBytes: 16_384 })
  for (let value = 1; value <= 60; value++)
    spool.append([sampleOf(value)], { marks: { position: value } })
  await spool.close()
  await damageHead(dir)
  const problems: unknown[] = []
  const again = await openSpool(dir, { onProblem: (error) => problems.push(error) })
  expect([again.id, again.lastSeq, again.mark('position')]).toEqual([spool.id, 60, 60])
  again.append([sampleOf(61)])
  const records = await readSynced(again)
  expect(records.map(({ seq, fields }) => [seq, fields])).toEqual(
    Array.from({ length: 61 }, (_, at) => [at + 1, { value: at + 1 }]),
  )
  expect(problems).toHaveLength(1)
  await again.close()
})

it('begins a new spool beside the segments of a newer agent, and touches none of them', async () => {
  const spool = await openSpool(dir)
  spool.append([sampleOf(1)])
  await spool.close()
  const [name = ''] = (await readdir(dir)).filter((file) => file.endsWith('.spool'))
  await writeFile(join(dir, name), encodeFrame(1, 0, { version: 99, spool: 7, marks: 'all' }))
  const problems: unknown[] = []
  const again = await openSpool(dir, { onProblem: (error) => problems.push(error) })
  expect(again.lastSeq).toBe(0)
  await again.close()
  expect(problems).toMatchObject([
    { details: { found: expect.stringContaining('newer') as string } },
  ])
})

it('reads the segments of the agent before, whose heads have no version', async () => {
  const frames = [
    encodeFrame(1, 0, { spool: 'd1d1', marks: { position: 1 } }),
    encodeFrame(1, 2, { samples: [sampleOf(1), sampleOf(2)], marks: { position: 2 } }),
  ]
  await writeFile(join(dir, '00000000-0000000000000001.spool'), Buffer.concat(frames))
  const spool = await openSpool(dir)
  expect([spool.id, spool.lastSeq, spool.mark('position')]).toEqual(['d1d1', 2, 2])
  // Nothing is appended to them: the agent before could not read it.
  spool.append([sampleOf(3)])
  const expected = [1, 2, 3].map((value) => ({ seq: value, ...sampleOf(value) }))
  expect(await readSynced(spool)).toEqual(expected)
  const blocks = spool.readBlocks(1, 100)
  expect(blocks.map(({ firstSeq, rows }) => [firstSeq, rows])).toEqual([
    [1, 2],
    [3, 1],
  ])
  expect((await readdir(dir)).filter((name) => name.endsWith('.spool')).length).toBe(2)
  await spool.close()
})

it('is told in the report of its node when a part of it cannot be read', async () => {
  const spool = await openSpool(join(dir, 'spool'))
  await spool.close()
  await damageHead(join(dir, 'spool'))
  const problems = createNodeProblems()
  const measuring = await openMeasuring(dir, { log: pino({ level: 'silent' }), problems })
  await measuring.stop()
  await measuring.spool.close()
  expect(problems.list()).toMatchObject([
    { message: expect.stringContaining('set aside') as string },
  ])
})

/** Damage the head of the newest segment; returns the whole file as it is then. */
async function damageHead(folder: string): Promise<Buffer> {
  const names = (await readdir(folder)).filter((file) => file.endsWith('.spool')).sort()
  const path = join(folder, names.at(-1) ?? '')
  const content = await readFile(path)
  content[30] = 0
  await writeFile(path, content)
  return content
}
