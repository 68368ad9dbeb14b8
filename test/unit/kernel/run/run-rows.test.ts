import { expect, it } from 'vitest'
import { isNear } from '../../../../kernel/src/run/run-rows.ts'

it('names that differ by a letter, or of which one begins the other, are near', () => {
  for (const [one, other] of [
    ['my_rt', 'my_rtt'],
    ['rtt', 'rtt_lost'],
    ['rtt', 'ttt'],
    ['rtt', 'rt_t'],
    ['rtt', 'rtt'],
  ] as const)
    expect([isNear(one, other), isNear(other, one)]).toEqual([true, true])
  for (const [one, other] of [
    ['rtt', 'loss'],
    ['abc', 'acb'],
  ] as const)
    expect(isNear(one, other)).toBe(false)
})
