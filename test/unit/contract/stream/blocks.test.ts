import {
  BlockMemory,
  encodeNumber,
  padded,
  readBlock,
  readBlockHead,
  samplesIn,
  writeBlocks,
  type Shape,
  type UnnumberedSample,
} from '@community-lab/contract/samples'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const name = fc.constantFrom('rtt', 'loss', 'cpu')
const number = fc.oneof(
  fc.double().map(encodeNumber),
  fc.integer(),
  fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map(encodeNumber),
)
const text = fc.oneof(
  fc.constantFrom('n1', 'n2', ''),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)
const value = fc.oneof(number, text, fc.boolean())
const fields = fc.oneof(
  fc.record({ rtt_s: fc.double().map(encodeNumber), peer: text }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'run'), value, { maxKeys: 5 }),
)
const sample: fc.Arbitrary<UnnumberedSample> = fc.record({
  time_us: fc.oneof(
    fc.integer({ min: 1_700_000_000_000_000, max: 1_700_000_000_100_000 }),
    fc.maxSafeInteger(),
  ),
  source: fc.constantFrom('node', '3@1'),
  name,
  fields,
})
const samples = fc.array(sample, { minLength: 1, maxLength: 60 })

/** Read a block of bytes that may be anything, at some place of a larger memory. */
function read(block: Uint8Array, shapes: readonly Shape[]) {
  const memory = new BlockMemory(new ArrayBuffer(padded(block.length) + 24))
  memory.bytes.set(block, 16)
  const reading = readBlock(memory, {
    at: 16,
    bytes: block.length,
    shapes: { get: (number) => shapes[number] },
  })
  return { memory, reading }
}

function readAll({ shapes, blocks }: ReturnType<typeof writeBlocks>): UnnumberedSample[] {
  return blocks.flatMap((block) => {
    const { memory, reading } = read(block, shapes)
    if (reading.fault !== undefined) throw new Error(reading.fault)
    return samplesIn(memory, reading.sections)
  })
}

describe('blocks of columns', () => {
  it('give back every sample, in its order, with exactly its values', () => {
    fc.assert(
      fc.property(samples, (given) => {
        expect(readAll(writeBlocks(given))).toEqual(given)
      }),
      {
        numRuns: 300,
      },
    )
  })

  it('keep negative zero, NaN and the infinities', () => {
    const given = [-0, 0, 1.5].map((rtt_s) => ({
      time_us: 5,
      source: 'node',
      name: 'rtt',
      fields: { rtt_s, max_s: { number: 'inf' }, min_s: { number: 'nan' } },
    }))
    expect(readAll(writeBlocks(given))).toEqual(given)
  })

  it('end before they are too large, with too many rows, bytes or values', () => {
    const long = Array.from({ length: 5_000 }, (_, at) => ({
      time_us: at,
      source: 'node',
      name: at % 2 === 0 ? 'one' : 'other',
      fields: { text: 'x'.repeat(at % 4_096), at },
    }))
    const written = writeBlocks(long)
    expect(readAll(written)).toEqual(long)
    for (const block of written.blocks) expect(readBlockHead(block)).not.toBeNull()
  })

  it('can be read also when many samples have the same text', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 0, max: 500 }),
        (rows, length) => {
          const given = Array.from({ length: rows }, (_, at) => ({
            time_us: at,
            source: '3@1',
            name: 'log',
            fields: { line: 'x'.repeat(length) },
          }))
          expect(readAll(writeBlocks(given))).toEqual(given)
        },
      ),
      { numRuns: 100, examples: [[500, 174]] },
    )
  })

  it('take an eighth of the same samples as JSON, at most', () => {
    const given = Array.from({ length: 500 }, (_, at) => ({
      time_us: 1_700_000_000_000_000 + 1000 * at,
      source: '3@1',
      name: 'rtt',
      fields: { rtt_s: Math.sin(at), peer: 'n2', run: 'a-run' },
    }))
    const bytes = writeBlocks(given).blocks.reduce((sum, block) => sum + block.length, 0)
    expect(bytes).toBeLessThan(JSON.stringify(given).length / 8)
  })
})

describe('blocks of a stranger', () => {
  const changed = fc.record({
    given: samples,
    changes: fc.array(fc.record({ at: fc.nat(), to: fc.nat(255) }), { minLength: 1, maxLength: 6 }),
    cut: fc.option(fc.nat(400)),
    shapes: fc.boolean(),
  })

  it('are read or refused, never more rows than they say, and nothing beyond their bytes', () => {
    fc.assert(
      fc.property(changed, ({ given, changes, cut, shapes: hasOther }) => {
        const { shapes, blocks } = writeBlocks(given)
        const own = Uint8Array.from(blocks[0] ?? [])
        for (const { at, to } of changes) own[at % own.length] = to
        const block = cut === null ? own : own.subarray(0, Math.max(8, own.length - 8 * cut))
        const head = readBlockHead(block)
        if (head === null) return
        const { memory, reading } = read(block, hasOther ? [...shapes].reverse() : shapes)
        if (reading.fault !== undefined) return
        const found = samplesIn(memory, reading.sections)
        expect(found.length).toBe(head.rows)
        for (const one of found)
          expect(shapes.some(({ source }) => source === one.source)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are refused when a short one would become a large amount of text', () => {
    const text = 'x'.repeat(4_000)
    const given = Array.from({ length: 60 }, () => ({
      time_us: 5,
      source: 'node',
      name: 'rtt',
      fields: { text },
    }))
    const { shapes, blocks } = writeBlocks(given)
    const block = blocks[0] ?? new Uint8Array()
    expect(read(block, shapes).reading.fault).toBeUndefined()
    const more = Uint8Array.from(block)
    const view = new DataView(more.buffer)
    view.setUint16(0, 2_000, true)
    view.setUint16(10, 2_000, true)
    expect(read(more, shapes).reading.fault).toBe('its texts are too long')
  })
})
