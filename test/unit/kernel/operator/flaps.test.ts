import { expect, it } from 'vitest'
import { countFlaps, linkFlaps } from '../../../../kernel/src/operator/flaps.ts'
import { stateIntervals } from '../../../../kernel/src/operator/intervals.ts'

const at = (s: number): Date => new Date(Date.UTC(2026, 4, 4) + s * 1000)

/** What one end saw each second: `+` usable, `-` not usable, a space for no sample. */
const view = (node: string, peer: string, seen: string) =>
  Array.from(seen).flatMap((sign, s) =>
    sign === ' ' ? [] : [{ time: at(s), node, peer, usable: sign === '+' }],
  )
const intervals = (seen: string) =>
  stateIntervals(view('a', 'b', seen), { of: () => 'a', state: ({ usable }) => usable })

it.each([
  ['+++++++', 0],
  ['++--++-+', 2],
  // Down at the beginning: nobody knows whether it was up before.
  ['---+++', 0],
  // A neighbour that babeld forgets has no samples: down and forgotten is one time.
  ['++--    --++', 1],
  ['+++    +++    +', 2],
])('counts the times at which a link went down: %s', (seen, flaps) => {
  expect(countFlaps(intervals(seen))).toBe(flaps)
})

it('leaves out the times whose reason is known', () => {
  const off = [{ from: at(2), to: at(3) }]
  expect(countFlaps(intervals('++--++--++'), off)).toBe(1)
  expect(countFlaps(intervals('++--++--++'), [{ from: at(4), to: at(6) }])).toBe(2)
})

it('takes what the end saw that saw most, and not what follows from a node that is away', () => {
  const rows = [
    ...view('n10', 'n2', '+++++++++++++'),
    ...view('n2', 'n10', '++--++-++--++'),
    ...view('n2', 'n3', '+++++-----+++'),
    ...view('n3', 'n2', '++++      +++'),
  ]
  const nodes = stateIntervals(
    rows.filter(({ node }) => node === 'n3'),
    { of: ({ node }) => node, state: () => 'on' },
  )
  expect(linkFlaps(rows, { nodes })).toEqual([
    { link: 'n2 – n10', ends: ['n2', 'n10'], flaps: 3, down_s: 5 },
    { link: 'n2 – n3', ends: ['n2', 'n3'], flaps: 0, down_s: 0 },
  ])
  expect(linkFlaps(rows)[1]).toMatchObject({ link: 'n2 – n3', flaps: 1, down_s: 7 })
})

it('has no links of no rows', () => {
  expect(linkFlaps([])).toEqual([])
})
