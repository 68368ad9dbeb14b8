import { describe, expect, it } from 'vitest'
import { createContactBook } from '../../../../server/src/registry/contact.ts'

function keepBook() {
  const clock = { nowMs: 0 }
  const book = createContactBook({
    silenceMs: 30,
    nowMs: () => clock.nowMs,
    dateMs: () => 1_000_000 + clock.nowMs,
  })
  return { book, clock }
}

describe('a node that is heard of', () => {
  it('needs writing down once, and again only after it was silent', () => {
    const { book, clock } = keepBook()
    expect(book.note(1)).toBe(true)
    for (clock.nowMs = 5; clock.nowMs < 1_000; clock.nowMs += 5) {
      expect(book.note(1)).toBe(false)
      expect(book.takeSilent()).toEqual([])
    }
    clock.nowMs += 31
    expect(book.takeSilent()).toEqual([1])
    expect([book.takeSilent(), book.isExpected(1)]).toEqual([[], false])
    expect(book.note(1)).toBe(true)
    expect([book.isExpected(1), book.lastSeenMs(1)]).toEqual([true, 1_000_000 + clock.nowMs])
  })

  it('needs no writing down when it was there before the server', () => {
    const { book, clock } = keepBook()
    book.expect([1, 2])
    expect(book.note(1)).toBe(false)
    clock.nowMs = 31
    expect(book.takeSilent()).toEqual([1, 2])
    expect(book.lastSeenMs(2)).toBeNull()
  })

  it('is told again when it could not be written down', () => {
    const { book } = keepBook()
    expect(book.note(1)).toBe(true)
    book.forget(1)
    expect(book.note(1)).toBe(true)
  })
})
