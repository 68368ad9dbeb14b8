/** A piece of an id mapping, as in user_namespaces(7): `count` ids from `inside` are those from `outside`. */
export interface IdMapping {
  readonly inside: number
  readonly outside: number
  readonly count: number
}

/** Which ids a node gives to its slivers. */
export interface IdPlan {
  readonly base: number
  /** Ids of each sliver. */
  readonly count: number
}

/** Ids 0 to 65534 and `nobody`: what any root file system may use. */
const wholeRange = 65_536
/** The nobody of Debian and OpenWrt. */
const nobody = 65_534
const slots = 126
const roomy: IdPlan = { base: 100_000, count: wholeRange }
/** For a user namespace of 65536 ids, such as newuidmap gives: 500 ids each, ending below 64100 so that servers may have theirs above. */
const tight: IdPlan = { base: 1_000, count: 500 }

/**
 * Choose the ids of slivers from those that this process's user namespace has (the text of `/proc/self/uid_map` or `gid_map`): ranges of their own, so that
 * nobody who got out of one sliver would own anything of another. `null` when there are too few.
 */
export function planIds(mapText: string): IdPlan | null {
  const top = countFromZero(mapText)
  return [roomy, tight].find(({ base, count }) => top >= base + slots * count) ?? null
}

/** The mapping of the sliver of this number (1 to 125); its root is `outside` of the first piece. */
export function mapIds({ base, count }: IdPlan, nr: number): readonly IdMapping[] {
  const outside = base + nr * count
  if (count >= wholeRange) return [{ inside: 0, outside, count }]
  return [
    { inside: 0, outside, count: count - 1 },
    { inside: nobody, outside: outside + count - 1, count: 1 },
  ]
}

/** Translate an id of a root file system; `null` when the mapping has no place for it. */
export function mapId(mappings: readonly IdMapping[], id: number): number | null {
  const piece = mappings.find(({ inside, count }) => id >= inside && id < inside + count)
  return piece === undefined ? null : piece.outside + id - piece.inside
}

/** How many ids in a row exist from 0 on. */
function countFromZero(mapText: string): number {
  const pieces = mapText
    .split('\n')
    .map((line) => line.trim().split(/\s+/u).map(Number))
    .filter((numbers) => numbers.length === 3)
    .sort((one, other) => (one[0] ?? 0) - (other[0] ?? 0))
  let top = 0
  for (const [inside = 0, , count = 0] of pieces) if (inside === top) top += count
  return top
}
