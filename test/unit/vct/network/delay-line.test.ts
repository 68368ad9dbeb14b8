import { expect, test } from 'vitest'
import { DelayLine } from '../../../../server/vct/src/network/delay-line.ts'

/** A delay line on a clock that is set by hand. */
function world(delayMs: number, maxItems = 100) {
  const released: [number, string][] = []
  let nowMs = 0
  let armed: { callback: () => void; dueMs: number } | null = null
  const line = new DelayLine<string>({
    delayMs,
    maxItems,
    release: (item) => released.push([nowMs, item]),
    now: () => nowMs,
    schedule: (callback, waitMs) => {
      armed = { callback, dueMs: nowMs + waitMs }
    },
  })
  return {
    line,
    released,
    push(atMs: number, item: string) {
      nowMs = atMs
      line.push(item)
    },
    runUntil(endMs: number) {
      for (;;) {
        const timer = armed
        if (timer === null || timer.dueMs > endMs) break
        armed = null
        nowMs = timer.dueMs
        timer.callback()
      }
      nowMs = endMs
    },
  }
}

test('everything leaves in order, half a millisecond off its time at most', () => {
  const { released, push, runUntil } = world(5)
  push(0, 'a')
  push(0.4, 'b')
  push(2.3, 'c')
  runUntil(20)
  expect(released.map(([, item]) => item)).toEqual(['a', 'b', 'c'])
  const dues = [5, 5.4, 7.3]
  released.forEach(([atMs], index) => {
    expect(Math.abs(atMs - (dues[index] ?? 0))).toBeLessThanOrEqual(0.5)
  })
})

test('what does not fit is dropped and counted', () => {
  const { line, released, push, runUntil } = world(5, 2)
  for (const item of ['a', 'b', 'c']) push(0, item)
  runUntil(10)
  expect(released.map(([, item]) => item)).toEqual(['a', 'b'])
  expect(line.dropped).toBe(1)
})
