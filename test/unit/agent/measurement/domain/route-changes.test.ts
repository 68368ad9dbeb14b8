import { expect, it } from 'vitest'
import type { BabelRoute } from '../../../../../agent/src/measurement/domain/babel.ts'
import {
  fullSet,
  knownRoutes,
  routeChanges,
} from '../../../../../agent/src/measurement/domain/route-changes.ts'

const route = (n: number, metric = 96, nextHop = 'fe80::2'): BabelRoute => ({
  destination: `fd00::${n}/128`,
  source: null,
  metric,
  via: { interface: 'w2', nextHop, router: `r${n}`, refMetric: 0 },
})
const own: BabelRoute = { destination: 'fd00::1/128', source: null, metric: 0, via: null }
const named = (rows: ReturnType<typeof routeChanges>) =>
  rows.map(({ event, route: { destination } }) => `${event} ${destination}`)

it('tells which routes have come, changed and gone', () => {
  const before = knownRoutes([own, route(2), route(3), route(4)], 10)
  const now = knownRoutes([own, route(2, 192), route(4), route(5)], 10)
  expect(named(routeChanges(before, now))).toEqual([
    'changed fd00::2/128',
    'added fd00::5/128',
    'removed fd00::3/128',
  ])
  expect(routeChanges(now, now)).toEqual([])
})

it('tells that a route goes another way at the same cost', () => {
  const rows = routeChanges(knownRoutes([route(2)], 10), knownRoutes([route(2, 96, 'fe80::3')], 10))
  expect(named(rows)).toEqual(['changed fd00::2/128'])
})

it('keeps the first routes of too many, the same ones each time', () => {
  const routes = [route(5), route(4), route(3), route(2)]
  expect(named(fullSet(knownRoutes(routes, 2)))).toEqual(['full fd00::2/128', 'full fd00::3/128'])
  expect(routeChanges(knownRoutes(routes, 2), knownRoutes(routes.toReversed(), 2))).toEqual([])
})

it('prefers that a destination is announced to a route to it', () => {
  const known = knownRoutes([own, { ...route(1) }], 10)
  expect(fullSet(known)).toEqual([{ event: 'full', route: own }])
})
