import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  addReading,
  beginEstimate,
  maxDrift,
  offsetAt,
  readExchange,
  wander,
  type Estimate,
} from '../../../../agent/src/clock/domain/estimate.ts'

/** An exchange at a time of the node's clock, over a path with the given delays, with a server whose clock drifts away and has steps of a millisecond. */
function exchange(
  offsetAtUs: (us: number) => number,
  { atUs, thereUs, backUs }: { atUs: number; thereUs: number; backUs: number },
) {
  const answeredUs = atUs + thereUs
  const serverUs = Math.floor((answeredUs + offsetAtUs(answeredUs)) / 1000) * 1000
  return readExchange({
    sentUs: atUs,
    receivedUs: answeredUs + backUs,
    serverUs,
    resolutionUs: 1000,
  })
}

const delays = fc.record({
  gapUs: fc.integer({ min: 1_000, max: 900_000_000 }),
  thereUs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 2_000_000 })),
  backUs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 2_000_000 })),
})

it('contains the true offset at every time, however unequal the two directions are', () => {
  fc.assert(
    fc.property(
      fc.array(delays, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: -1e15, max: 1e15 }),
      fc.double({ min: -maxDrift + wander, max: maxDrift - wander, noNaN: true }),
      fc.integer({ min: 60, max: 100_000 }),
      (paths, startUs, meanDrift, periodS) => {
        // The rate of a crystal follows its temperature: it swings by a third of the tolerance around its mean. The offset is the integral of that.
        const omega = (2 * Math.PI) / (periodS * 1e6)
        const truth = (us: number): number =>
          startUs + meanDrift * us + ((wander / 3) * Math.sin(omega * us)) / omega
        let atUs = 0
        let estimate: Estimate | null = null
        for (const { gapUs, thereUs, backUs } of paths) {
          atUs += gapUs
          if (estimate !== null) contains(estimate, atUs, truth)
          const reading = exchange(truth, { atUs, thereUs, backUs })
          atUs += thereUs + backUs
          estimate = estimate === null ? beginEstimate(reading) : addReading(estimate, reading)
          expect(estimate).not.toBeNull()
          if (estimate === null) return
          contains(estimate, atUs, truth)
          // Rows before the first estimate are computed backwards.
          contains(estimate, atUs - gapUs / 2, truth)
        }
      },
    ),
    { numRuns: 300 },
  )
})

function contains(estimate: Estimate, atUs: number, truth: (us: number) => number): void {
  const { lowUs, highUs } = offsetAt(estimate, atUs)
  // A quarter of a microsecond is the resolution of these numbers.
  expect(truth(atUs)).toBeGreaterThanOrEqual(lowUs - 1)
  expect(truth(atUs)).toBeLessThanOrEqual(highUs + 1)
}

it('is decided by the quickest exchange, and not worse for slow ones', () => {
  const truth = (): number => 5_000_000
  const quick = beginEstimate(exchange(truth, { atUs: 0, thereUs: 400, backUs: 600 }))
  const after = addReading(quick, exchange(truth, { atUs: 2_000, thereUs: 900_000, backUs: 10 }))
  expect(after?.rttUs).toBe(1000)
  // Half of the round trip, half of the server's millisecond, and what drift may have added in 0.9 s.
  const half = ((after?.highUs ?? Infinity) - (after?.lowUs ?? 0)) / 2
  expect(half).toBeLessThan(1000 + 2 * 0.9e6 * maxDrift)
})

it('learns the drift, so that the bound grows by the tolerance of 15 ppm and not by 500', () => {
  const truth = (us: number): number => 80e-6 * us
  let estimate: Estimate | null = null
  for (let s = 0; s <= 3_600; s += 16) {
    const reading = exchange(truth, { atUs: s * 1e6, thereUs: 1_500, backUs: 500 })
    estimate = estimate === null ? beginEstimate(reading) : addReading(estimate, reading)
    if (estimate === null) break
  }
  expect(estimate?.driftLow).toBeGreaterThan(80e-6 - wander - 2e-6)
  expect(estimate?.driftLow).toBeLessThanOrEqual(80e-6)
  expect(estimate?.driftHigh).toBeLessThan(80e-6 + wander + 2e-6)
  expect(estimate?.driftHigh).toBeGreaterThanOrEqual(80e-6)
})

it('says when a reading contradicts what is known, as after the server was set', () => {
  const known = beginEstimate(exchange(() => 0, { atUs: 0, thereUs: 500, backUs: 500 }))
  const later = exchange(() => 60_000, { atUs: 1e6, thereUs: 500, backUs: 500 })
  expect(addReading(known, later)).toBeNull()
})
