import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstWriter,
  formatRowCursor,
  isBeyond,
  maybeRowCursor,
  mergeRowCursors,
} from '../../../server/contract/src/row-cursor.ts'

const cursors = fc
  .array(fc.tuple(fc.nat(9_999), fc.nat(999_999_999_999_999)), { minLength: 1, maxLength: 64 })
  .map((parts) => new Map(parts))

describe('a cursor of rows', () => {
  it('has a number for each writer, and is read as it was written', () => {
    expect(formatRowCursor(new Map([[firstWriter, 179_605_434_240_481]]))).toBe(
      'v1:1=179605434240481',
    )
    expect(
      formatRowCursor(
        new Map([
          [2, 7],
          [1, 5],
        ]),
      ),
    ).toBe('v1:1=5,2=7')
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(maybeRowCursor(formatRowCursor(cursor))).toEqual(cursor)
      }),
    )
  })

  it('that is a number alone is one of before, of the first writer', () => {
    expect(maybeRowCursor('0')).toEqual(new Map([[1, 0]]))
    expect(maybeRowCursor('179605434240481')).toEqual(new Map([[1, 179_605_434_240_481]]))
  })

  it('is nothing else, nor of a version that is not known', () => {
    const texts = ['', '-1', '1.5', 'v1:', 'v1:1', 'v1:1=', 'v1:1=2,', 'v2:1=2', 'v1:1=2,1=3', ' 1']
    const long = `v1:${Array.from({ length: 65 }, (_, writer) => `${writer}=1`).join(',')}`
    for (const text of [...texts, long, '1234567890123456']) expect(maybeRowCursor(text)).toBeNull()
    fc.assert(
      fc.property(fc.string(), (text) => {
        const cursor = maybeRowCursor(text)
        if (cursor !== null && text.startsWith('v1:')) expect(cursor.size).toBeGreaterThan(0)
      }),
    )
  })

  it('tells what was read of several writers, whose numbers have nothing to do with each other', () => {
    const read = new Map([
      [1, 100],
      [2, 5],
    ])
    expect(isBeyond(new Map([[2, 6]]), read)).toBe(true)
    expect(isBeyond(new Map([[2, 5]]), read)).toBe(false)
    expect(isBeyond(new Map([[3, 1]]), read)).toBe(true)
    fc.assert(
      fc.property(cursors, cursors, (one, other) => {
        const both = mergeRowCursors(one, other)
        expect(isBeyond(one, both) || isBeyond(other, both)).toBe(false)
        expect(isBeyond(both, one)).toBe(isBeyond(other, one))
      }),
    )
  })
})
