import { expect, it } from 'vitest'
import { readByteRange } from '../../../../server/src/http/byte-range.ts'

it.each([
  [undefined, null],
  ['bytes=0-', { from: 0, to: 99 }],
  ['bytes=90-', { from: 90, to: 99 }],
  ['bytes=10-19', { from: 10, to: 19 }],
  ['bytes=90-200', { from: 90, to: 99 }],
  ['bytes=-8', { from: 92, to: 99 }],
  ['bytes=-200', { from: 0, to: 99 }],
  ['bytes=100-', 'none'],
  ['bytes=100-200', 'none'],
  ['bytes=-0', 'none'],
  ['bytes=20-10', null],
  ['bytes=-', null],
  ['bytes=0-1,5-6', null],
  ['lines=0-1', null],
] as const)('reads %s of a file of a hundred bytes', (header, range) => {
  expect(readByteRange(header, 100)).toEqual(range)
})
