import { BlockMemory, padded, readBlock, writeBlocks } from '@community-lab/contract/samples'
import { expect, it } from 'vitest'
import { fitFields, type Fields } from '../../../../server/src/telemetry/domain/layout.ts'
import { sizeOf } from '../../../../server/src/telemetry/domain/sample.ts'
import { fitSection } from '../../../../server/src/telemetry/domain/section.ts'

it('counts the characters of the samples that there are, not as many as if each were the longest', () => {
  const samples = Array.from({ length: 100 }, (_, n) => ({
    time_us: n,
    source: '3@1',
    name: 'log',
    fields: { n, text: n === 5 ? 'x'.repeat(4_000) : 'short' },
  }))
  const { shapes, blocks } = writeBlocks(samples)
  const block = blocks[0] ?? new Uint8Array()
  const memory = new BlockMemory(new ArrayBuffer(padded(block.length)))
  memory.bytes.set(block)
  const owner = { scope: 'slice-3', sliver: '3@1' }
  const placed = shapes.map((shape) => ({ ...shape, owner }))
  const place = { at: 0, bytes: block.length, shapes: { get: (number: number) => placed[number] } }
  const reading = readBlock(memory, place)
  if (reading.fault !== undefined) throw new Error(reading.fault)
  const [section] = reading.sections
  if (section === undefined) throw new Error('it has no section')
  const fields: Fields = new Map()
  fitFields({ n: 1, text: '' }, fields, { maxColumns: 9, maxNew: 9 })
  expect(fitSection(memory, section, fields)?.characters).toBe(
    samples.reduce((sum, sample) => sum + sizeOf(sample.fields), 0),
  )
})
