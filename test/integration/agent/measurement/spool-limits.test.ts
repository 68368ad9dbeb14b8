import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { SegmentReader } from '../../../../agent/src/measurement/spool/reader.ts'
import { listSegments, readGroup } from '../../../../agent/src/measurement/spool/segment.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import { readSynced, sampleOf } from './world.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

it('decodes a frame of many samples once, however often a part of it is read', async () => {
  const spool = await openSpool(dir)
  spool.append(Array.from({ length: 20_000 }, (_, at) => sampleOf(at)))
  await spool.close()
  const { segments } = listSegments(dir)
  let decoded = 0
  const reader = new SegmentReader(null, (frame) => {
    decoded++
    return readGroup(frame.payload)?.samples ?? []
  })
  let read = 0
  for (const untilSeq = 20_000; read < untilSeq;) {
    const most = { maxRecords: 100, maxBytes: 1000 }
    read += reader.read({ segments, fromSeq: read + 1, untilSeq, ...most }).length
  }
  expect([read, decoded]).toEqual([20_000, 1])
  reader.close()
})

it('keeps marks that are set again and again within its bound, also when it is full', async () => {
  const maxBytes = 64 * 1024
  const spool = await openSpool(dir, { maxBytes })
  while (spool.append([sampleOf(0)], { whenFull: 'refuse' }));
  const rest = 'x'.repeat(1000)
  for (let position = 1; position <= 100; position++)
    expect(spool.append([], { marks: { position, rest } })).toBe(true)
  expect(await bytesOf(dir)).toBeLessThanOrEqual(maxBytes)
  const { lastSeq } = spool
  await spool.sync()
  spool.trim(lastSeq)
  spool.append([sampleOf('after')])
  await spool.close()
  const again = await openSpool(dir, { maxBytes })
  expect(again.mark('position')).toBe(100)
  expect((await readSynced(again)).at(-1)).toMatchObject({ seq: lastSeq + 1, ...sampleOf('after') })
  await again.close()
})

it('leaves room for others and for the node when slivers fill it, also after a restart', async () => {
  const options = { maxBytes: 512 * 1024 }
  const spool = await openSpool(dir, options)
  const fill = (own: Spool, source: string): number => {
    let taken = 0
    while (own.append([{ ...sampleOf(1), source }], { whenFull: 'refuse' })) taken++
    return taken
  }
  const first = fill(spool, '1@1')
  await spool.close()
  const again = await openSpool(dir, options)
  expect(fill(again, '1@1')).toBe(0)
  const second = fill(again, '2@1')
  const third = fill(again, '3@1')
  // Each leaves a third of what was free, and takes no more than twice that.
  expect([second / first, third / second].map((ratio) => Math.round(ratio * 10) / 10)).toEqual([
    0.3, 0.3,
  ])
  expect(fill(again, 'node')).toBeGreaterThan(100)
  await again.close()
})

async function bytesOf(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.spool'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
