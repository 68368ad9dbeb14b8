import { expect, it } from 'vitest'
import { mapId, mapIds, planIds } from '../../../../../agent/src/sliver/domain/ids.ts'

const initial = '         0          0 4294967295\n'
const podOfOrdinaryUser = '         0       1000          1\n         1     100000      65536\n'

it('gives each sliver of a host with all ids 65536 of its own', () => {
  const plan = planIds(initial)
  expect(plan).toEqual({ base: 100_000, count: 65_536 })
  expect(plan && mapIds(plan, 2)).toEqual([{ inside: 0, outside: 231_072, count: 65_536 }])
})

it('gives each sliver of an ordinary user 500, its nobody among them, and leaves ids for servers', () => {
  const plan = planIds(podOfOrdinaryUser)
  expect(plan).toEqual({ base: 1_000, count: 500 })
  expect(plan && mapIds(plan, 1)).toEqual([
    { inside: 0, outside: 1_500, count: 499 },
    { inside: 65_534, outside: 1_999, count: 1 },
  ])
  const [last] = plan ? mapIds(plan, 125) : []
  expect(last && last.outside + 500).toBeLessThanOrEqual(64_100)
})

it('gives none where there is one id, or too few in a row', () => {
  expect(planIds('0 1000 1\n')).toBeNull()
  expect(planIds('0 1000 1\n5 100000 65536\n')).toBeNull()
  expect(planIds('')).toBeNull()
})

it('translates ids that have a place, and no others', () => {
  const mapping = mapIds({ base: 1_000, count: 500 }, 1)
  expect([0, 42, 498, 499, 65_534].map((id) => mapId(mapping, id))).toEqual([
    1_500,
    1_542,
    1_998,
    null,
    1_999,
  ])
})
