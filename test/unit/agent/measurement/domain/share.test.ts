import { expect, it } from 'vitest'
import { refill } from '../../../../../agent/src/measurement/domain/rate.ts'
import { mayHold } from '../../../../../agent/src/measurement/domain/share.ts'

it.for([1, 2, 5, 100])('leaves room for one more when %i fill a buffer', (hogs) => {
  const held = Array<number>(hogs).fill(0)
  let freeBytes = 100_000
  for (let grows = true; grows;) {
    grows = false
    for (const [at, heldBytes] of held.entries()) {
      if (!mayHold({ heldBytes, moreBytes: 10, freeBytes })) continue
      held[at] = heldBytes + 10
      freeBytes -= 10
      grows = true
    }
  }
  expect(freeBytes / 100_000).toBeCloseTo(1 / (2 * hogs + 1), 2)
  for (const bytes of held) expect(bytes / freeBytes).toBeCloseTo(2, 0)
})

it('lets so many pass at once, and so many a second after that, whatever becomes of the clock', () => {
  const rate = { perSecond: 10, burst: 25 }
  const full = refill(null, rate, 1_000_000)
  expect(full.left).toBe(25)
  const empty = { ...full, left: 0 }
  expect(refill(empty, rate, 1_500_000).left).toBe(5)
  expect(refill(empty, rate, 9_000_000).left).toBe(25)
  expect(refill(empty, rate, 500_000)).toEqual({ left: 0, atUs: 500_000 })
})
