import { expect, it } from 'vitest'
import { createShapeLists } from '../../../../../agent/src/measurement/spool/shape-lists.ts'

const list = (name: string) => JSON.stringify([{ source: '3@1', name, fields: [] }])

it('keeps the lists of shapes that come again, and no more than a MiB of them', () => {
  const lists = createShapeLists()
  const first = lists.read(list('rtt'))
  lists.read(list('x'.repeat(500_000)))
  expect(lists.read(list('rtt'))).toBe(first)
  lists.read(list('y'.repeat(500_000)))
  lists.read(list('z'.repeat(500_000)))
  const again = lists.read(list('rtt'))
  expect(again).toEqual(first)
  expect(again).not.toBe(first)
  expect([lists.read('{}'), lists.read('[')]).toEqual([null, null])
})
