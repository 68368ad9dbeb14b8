import { describe, expect, it } from 'vitest'
import { createContactBook } from '../../../../server/src/registry/contact.ts'

function keepBook() {
  const clock = { nowMs: 0 }
  const book = createContactBook({
    silenceMs: 30,
    stuckMs: 1_000,
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

describe('a node whose agent is stuck', () => {
  it('is told of once, while it is connected, and has to be written down when it polls again', () => {
    const { book, clock } = keepBook()
    book.note(1)
    expect(book.noteWork(1)).toBe(false)
    for (clock.nowMs = 10; clock.nowMs <= 1_000; clock.nowMs += 10) {
      book.note(1)
      expect(book.takeStuck()).toEqual([])
    }
    expect(book.takeStuck()).toEqual([1])
    expect([book.takeStuck(), book.isWorking(1), book.isExpected(1)]).toEqual([[], false, true])
    expect([book.noteWork(1), book.isWorking(1), book.noteWork(1)]).toEqual([true, true, false])
  })

  it('is silent rather than stuck when it is not connected, and then has the whole time again', () => {
    const { book, clock } = keepBook()
    book.note(1)
    clock.nowMs = 1_500
    expect([book.takeSilent(), book.takeStuck()]).toEqual([[1], []])
    book.note(1)
    expect(book.takeStuck()).toEqual([])
  })

  it('is told of again when it could not be written down', () => {
    const { book, clock } = keepBook()
    book.note(1)
    clock.nowMs = 1_001
    book.note(1)
    expect(book.takeStuck()).toEqual([1])
    book.expectWork([1])
    expect(book.takeStuck()).toEqual([1])
    expect(book.noteWork(1)).toBe(true)
    book.forgetWork(1)
    expect(book.noteWork(1)).toBe(true)
  })
})
