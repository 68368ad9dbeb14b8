import type { Shape, ShapeField } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { createShapeNumbers } from '../../../../../agent/src/measurement/uplink/shape-numbers.ts'
import { createShapeBook } from '../../../../../server/src/stream/block-frame.ts'

/** What a hostile sliver makes in one turn of its reader: so many shapes of so many fields, none of which was there before. */
function newShapes(round: number, count: number, fields: number): readonly Shape[] {
  return Array.from({ length: count }, (_, at) => ({
    source: '3@1',
    name: `m${round}_${at}`,
    fields: Array.from({ length: fields }, (__, field): ShapeField => [`f${field}`, 'number']),
  }))
}

describe('the shapes of a sliver whose lines have other fields all the time', () => {
  it.each([
    ['as long as a turn of its reader allows', () => 500, () => 60],
    [
      'many of few fields, then few of many',
      (n: number) => [500, 60][n % 2] ?? 1,
      (n: number) => [4, 64][n % 2] ?? 1,
    ],
    ['of one field', () => 500, () => 1],
    ['of any number', (n: number) => 1 + ((n * 137) % 500), (n: number) => 1 + ((n * 31) % 62)],
  ])('do not end the stream of their node: %s', (_, count, fields) => {
    const book = createShapeBook('node')
    const kept = new Map<number, string>()
    const numbers = createShapeNumbers((frame) => {
      const refused = book.define(frame, Buffer.byteLength(JSON.stringify(frame)))
      if (refused !== null) throw new Error(refused)
      kept.set(frame.number, frame.name)
    })
    const node: readonly Shape[] = [{ source: 'node', name: 'cpu', fields: [['busy', 'number']] }]
    for (let round = 0; round < 8; round++)
      for (const shapes of [newShapes(round, count(round), fields(round)), node]) {
        const own = numbers.of(shapes)
        expect(own.map((number) => kept.get(number))).toEqual(shapes.map(({ name }) => name))
      }
  })
})
