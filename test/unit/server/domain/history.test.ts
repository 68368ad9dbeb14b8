import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  describeHistory,
  sharesOf,
  type Interval,
  type Period,
} from '../../../../server/src/domain/history.ts'

/** A second of the model: what is written down while the server runs. */
interface Second {
  readonly isUp: boolean
  readonly state: 'started' | 'deployed' | null
  readonly node: 'offline' | null
}

const seconds = fc.array(
  fc.record({
    // Changes are rarer than seconds, so that intervals have more than one.
    isUp: fc.boolean(),
    state: fc.constantFrom('started', 'deployed', null),
    node: fc.constantFrom('offline', null, null),
    length: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 30 },
)

function runsOf<T extends string>(values: readonly (T | null)[]): Interval<T>[] {
  const intervals: Interval<T>[] = []
  for (const [second, state] of values.entries()) {
    const fromMs = second * 1000
    const last = intervals.at(-1)
    if (state === null) continue
    if (last?.state === state && last.toMs === fromMs)
      intervals.splice(-1, 1, { ...last, toMs: fromMs + 1000 })
    else intervals.push({ fromMs, toMs: fromMs + 1000, state, reason: null })
  }
  return intervals
}

function stateIn({ isUp, state, node }: Second): string {
  return isUp ? (node ?? state ?? 'nodata') : 'nodata'
}

describe('the history of a sliver', () => {
  it('is in each second what the model of that second says, and has no gap and no overlap', () => {
    fc.assert(
      fc.property(seconds, fc.nat(120), fc.nat(120), (parts, one, other) => {
        const model = parts.flatMap(({ length, ...second }): Second[] =>
          Array.from({ length }, () => second),
        )
        const records = {
          own: runsOf(model.map(({ state }) => state)),
          hidden: runsOf(model.map(({ node }) => node)),
          runs: runsOf(model.map(({ isUp }) => (isUp ? 'up' : null))),
        }
        const [first, end] = [Math.min(one, other), Math.max(one, other) + 1]
        const period = { fromMs: first * 1000, toMs: end * 1000 }
        const history = describeHistory<string>(records, period)
        const expected = Array.from({ length: end - first }, (_, index) => {
          const second = model[first + index]
          return second === undefined ? 'nodata' : stateIn(second)
        })
        const found = history.flatMap(({ fromMs, toMs, state }) =>
          Array.from({ length: (toMs - fromMs) / 1000 }, () => state),
        )
        expect(found).toEqual(expected)
        expect(history.map(({ fromMs }) => fromMs)).toEqual([
          period.fromMs,
          ...history.slice(0, -1).map(({ toMs }) => toMs),
        ])
      }),
    )
  })

  it('says why nothing is known', () => {
    const up: Period[] = [{ fromMs: 0, toMs: 2_000 }]
    const own = [{ fromMs: 1_000, toMs: Infinity, state: 'production', reason: null }]
    expect(describeHistory({ own, runs: up }, { fromMs: 0, toMs: 3_000 })).toEqual([
      {
        fromMs: 0,
        toMs: 1_000,
        state: 'nodata',
        reason: 'the server has no record of this time',
      },
      { fromMs: 1_000, toMs: 2_000, state: 'production', reason: null },
      { fromMs: 2_000, toMs: 3_000, state: 'nodata', reason: 'the server was not running' },
    ])
  })

  it('has its availability of what is known', () => {
    const period = { fromMs: 0, toMs: 1_000 }
    const shares = (ms: number) =>
      sharesOf([{ state: 'production', ms }, ...(ms === 0 ? [] : [{ state: 'safe', ms }])], {
        ...{ period, serving: 'production' },
      })
    expect(shares(0)).toMatchObject({ knownMs: 0, availability: null })
    expect(shares(250)).toMatchObject({ knownMs: 500, availability: 0.5 })
    expect(shares(250).times.at(-1)).toEqual({ state: 'nodata', ms: 500 })
    expect(shares(500).times).toHaveLength(2)
  })
})
