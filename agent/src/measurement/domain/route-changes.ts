import type { BabelRoute } from './babel.ts'

/** What has become of a route since the previous look. `full`: it is in the full set, which replaces all that was said before. */
export type RouteEvent = 'full' | 'added' | 'changed' | 'removed'

/** A row of `node_routes`. */
export interface RouteRow {
  readonly event: RouteEvent
  readonly route: BabelRoute
}

/** The routes of the previous look. */
export type KnownRoutes = ReadonlyMap<string, BabelRoute>

/** Order routes by destination, and keep the first ones of each destination, at most so many altogether. */
export function knownRoutes(routes: readonly BabelRoute[], most: number): KnownRoutes {
  const sorted = routes.map((route) => [keyOf(route), route] as const)
  sorted.sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
  const known = new Map<string, BabelRoute>()
  for (const [key, route] of sorted) {
    if (known.size >= most) break
    // A destination that is announced has no route to itself.
    if (!known.has(key) || route.via === null) known.set(key, route)
  }
  return known
}

/** Return the full set. */
export function fullSet(routes: KnownRoutes): readonly RouteRow[] {
  return [...routes.values()].map((route) => ({ event: 'full', route }))
}

/** Return what differs from the previous look. A removed route is the last that was known. */
export function routeChanges(before: KnownRoutes, now: KnownRoutes): readonly RouteRow[] {
  const rows: RouteRow[] = []
  for (const [key, route] of now) {
    const previous = before.get(key)
    if (previous === undefined) rows.push({ event: 'added', route })
    else if (!isSame(previous, route)) rows.push({ event: 'changed', route })
  }
  for (const [key, route] of before) if (!now.has(key)) rows.push({ event: 'removed', route })
  return rows
}

function keyOf({ destination, source }: BabelRoute): string {
  return `${destination} ${source ?? ''}`
}

function isSame(a: BabelRoute, b: BabelRoute): boolean {
  return (
    a.metric === b.metric &&
    a.via?.interface === b.via?.interface &&
    a.via?.nextHop === b.via?.nextHop &&
    a.via?.router === b.via?.router &&
    a.via?.refMetric === b.via?.refMetric
  )
}
