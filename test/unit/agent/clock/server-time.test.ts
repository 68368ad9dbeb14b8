import fc from 'fast-check'
import { expect, it } from 'vitest'
import { beginEstimate, maxDrift } from '../../../../agent/src/clock/domain/estimate.ts'
import {
  clockVariables,
  monotonicTimeAt,
  serverTimeAt,
} from '../../../../agent/src/clock/domain/server-time.ts'

const estimates = fc
  .record({
    atUs: fc.integer({ min: 0, max: 1e12 }),
    lowUs: fc.integer({ min: 1.7e15, max: 1.8e15 }),
    widthUs: fc.integer({ min: 0, max: 1e6 }),
    drifts: fc.tuple(
      fc.double({ min: -maxDrift, max: maxDrift, noNaN: true }),
      fc.double({ min: -maxDrift, max: maxDrift, noNaN: true }),
    ),
  })
  .map(({ atUs, lowUs, widthUs, drifts: [one, other] }) => ({
    ...beginEstimate({ atUs, lowUs, highUs: lowUs + widthUs, rttUs: widthUs, source: 'server' }),
    driftLow: Math.min(one, other),
    driftHigh: Math.max(one, other),
  }))

it('says when the server’s clock shows a time: earliest by the largest offset, latest by the smallest', () => {
  fc.assert(
    fc.property(estimates, fc.integer({ min: -1e10, max: 1e10 }), (estimate, inUs) => {
      const serverUs = estimate.atUs + estimate.lowUs + inUs
      const { lowUs, highUs } = monotonicTimeAt(estimate, serverUs)
      expect(lowUs).toBeLessThanOrEqual(highUs)
      expect(Math.abs(serverTimeAt(estimate, lowUs).highUs - serverUs)).toBeLessThan(1)
      expect(Math.abs(serverTimeAt(estimate, highUs).lowUs - serverUs)).toBeLessThan(1)
    }),
  )
})

it('tells a program how to correct its clocks, with a bound that holds for both, and nothing when nothing is known', () => {
  expect(
    clockVariables({
      wallOffsetUs: { lowUs: -2_500_700, highUs: -2_499_300 },
      monotonicOffsetUs: { lowUs: 1_800_000_000_000_000, highUs: 1_800_000_000_000_400 },
    }),
  ).toEqual({
    COMMUNITY_LAB_CLOCK_OFFSET_S: '-2.500000',
    COMMUNITY_LAB_MONOTONIC_OFFSET_S: '1800000000.000200',
    COMMUNITY_LAB_CLOCK_ERROR_S: '0.000701',
  })
  expect(clockVariables(null)).toEqual({})
})
