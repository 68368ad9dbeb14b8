import { expect, it } from 'vitest'
import { stateIntervals, timesIn } from '../../../../kernel/src/operator/intervals.ts'

const at = (s: number): Date => new Date(Date.UTC(2026, 4, 4) + s * 1000)
const seconds = (time: Date): number => (time.getTime() - at(0).getTime()) / 1000
const rows = (of: string, states: readonly (readonly [number, string])[]) =>
  states.map(([s, state]) => ({ time: at(s), of, state }))
const options = {
  of: (row: { of: string }) => row.of,
  state: (row: { state: string }) => row.state,
}

const shown = (
  given: Parameters<typeof stateIntervals<{ time: Date; of: string; state: string }, string>>[0],
  more = {},
) =>
  stateIntervals(given, { ...options, ...more }).map(({ of, from, to, state }) => [
    of,
    seconds(from),
    seconds(to),
    state,
  ])

it('lets a state hold until the next sample', () => {
  expect(
    shown(
      rows('n1', [
        [0, 'up'],
        [1, 'up'],
        [2, 'down'],
        [3, 'down'],
        [4, 'up'],
      ]),
    ),
  ).toEqual([
    ['n1', 0, 2, 'up'],
    ['n1', 2, 4, 'down'],
    ['n1', 4, 4, 'up'],
  ])
})

it('assumes nothing of a gap: three times the median step, or what is asked for', () => {
  const samples = rows('n1', [
    [0, 'up'],
    [1, 'up'],
    [2, 'up'],
    [5, 'up'],
    [9, 'up'],
    [10, 'up'],
  ])
  // The steps are 1, 1, 3, 4, 1: their median is 1, and 4 is longer than 3.
  expect(shown(samples)).toEqual([
    ['n1', 0, 5, 'up'],
    ['n1', 5, 9, null],
    ['n1', 9, 10, 'up'],
  ])
  expect(shown(samples, { longestGapMs: 4_000 })).toEqual([['n1', 0, 10, 'up']])
})

it('keeps things apart, n2 before n10, whatever the order of the rows', () => {
  const samples = [
    ...rows('n10', [
      [1, 'b'],
      [0, 'a'],
    ]),
    ...rows('n2', [[0, 'a']]),
  ]
  expect(shown(samples)).toEqual([
    ['n2', 0, 0, 'a'],
    ['n10', 0, 1, 'a'],
    ['n10', 1, 1, 'b'],
  ])
})

it('has no intervals of no samples', () => {
  expect(shown([])).toEqual([])
})

it('has a gap up to the end of the time that is looked at, of what told nothing for too long', () => {
  const samples = [
    ...rows('n1', [
      [0, 'up'],
      [1, 'up'],
      [2, 'up'],
      [3, 'up'],
    ]),
    ...rows('n2', [
      [0, 'up'],
      [1, 'up'],
      [2, 'up'],
      [3, 'up'],
      [8, 'up'],
    ]),
  ]
  const until = at(8)
  expect(shown(samples, { until })).toEqual([
    ['n1', 0, 3, 'up'],
    ['n1', 3, 8, null],
    ['n2', 0, 3, 'up'],
    ['n2', 3, 8, null],
    ['n2', 8, 8, 'up'],
  ])
  expect(shown(samples, { until, longestGapMs: 5_000 })).toEqual([
    ['n1', 0, 8, 'up'],
    ['n2', 0, 8, 'up'],
  ])
})

it('tells how often and how long a thing was in a state', () => {
  const samples = [
    ...rows('n1', [
      [0, 'up'],
      [1, 'up'],
      [2, 'up'],
      [9, 'up'],
      [10, 'up'],
      [20, 'up'],
      [21, 'down'],
    ]),
    ...rows('n2', [
      [0, 'up'],
      [1, 'up'],
    ]),
  ]
  const intervals = stateIntervals(samples, options)
  expect(timesIn(intervals, null)).toEqual([
    { of: 'n1', times: 2, total_s: 17 },
    { of: 'n2', times: 0, total_s: 0 },
  ])
  expect(timesIn(intervals, 'up')[0]).toEqual({ of: 'n1', times: 3, total_s: 4 })
})
