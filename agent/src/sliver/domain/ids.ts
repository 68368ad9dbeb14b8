/** A part of an id mapping, as in user_namespaces(7): `count` ids from `inside` on correspond to those from `outside` on. */
export interface IdMapping {
  readonly inside: number
  readonly outside: number
  readonly count: number
}

/** The ids that a node gives to its slivers. */
export interface IdPlan {
  readonly base: number
  /** The number of ids of each sliver. */
  readonly count: number
}

/** Ids that belong to somebody else, or may be assigned later. */
export interface TakenIds {
  readonly from: number
  readonly count: number
  /** The owner in words: `ada in /etc/subuid`. */
  readonly whose: string
}

/** The ids 0 to 65534 and `nobody`: all that a root file system may use. */
const wholeRange = 65_536
/** The id of the user nobody in Debian and OpenWrt. */
const nobody = 65_534
const slots = 126

/**
 * The range for the ids of slivers on a host with all ids: above those that useradd assigns as subordinate ids (to 600,100,000) and those that systemd assigns
 * to containers (to 0x6FFFFFFF), and below 2^31, from where on programs read them as negative. Source: login.defs(5), SUB_UID_MAX; systemd, UIDS-GIDS.
 */
const wholeHost = { from: 0x7000_0000, to: 0x7fff_0000 }
/**
 * When several nodes share a host, each has a part of {@link wholeHost}, in the order of their numbers. A sliver gets the largest of these counts for which the
 * part has enough ids that nobody else has.
 */
const sharedHost = { nodes: 64, counts: [32_768, 16_384, 8_192] } as const
/** The most nodes that can share a host. */
export const mostNodesOnHost = sharedHost.nodes
/** The range in a user namespace of 65536 ids, which newuidmap usually makes: between the ids of accounts and those of servers. */
const smallNamespace = { from: 1_000, to: 64_100 }
/** The counts of ids per sliver in such a namespace. The largest that fits beside the accounts is used. */
const smallCounts = [500, 400, 300, 200] as const

/** The ids of agents before `ids.json` was introduced. The files of their slivers have these owners. */
export function formerPlan(mapText: string): IdPlan | null {
  const top = countFromZero(mapText)
  const former = [
    { base: 100_000, count: wholeRange },
    { base: 1_000, count: 500 },
  ]
  return former.find(({ base, count }) => top >= base + slots * count) ?? null
}

/**
 * Choose the ids of slivers from those that this process's user namespace has (the text of `/proc/self/uid_map` or `gid_map`): ranges of their own, which
 * nobody else has. So a program that escapes from a sliver owns no file of another sliver or of an account; and what the kernel counts by user, such as the memory of
 * pipes, it counts for each sliver. `null` when there are too few.
 *
 * @param nrOnHost - this node's number among the nodes of its host, from 1 on; null: it is the only one. Nodes in a user namespace of 65536 ids have too few
 * ids to divide: there, slivers of the same number have the same ids.
 */
export function planIds(
  mapText: string,
  taken: readonly TakenIds[],
  nrOnHost: number | null,
): IdPlan | null {
  const top = countFromZero(mapText)
  for (const { count, step, ...stretch } of stretches(nrOnHost, top)) {
    const base = findFree({ ...stretch, count: slots * count }, taken, step)
    if (base !== null && top >= base + slots * count) return { base, count }
  }
  return null
}

/**
 * The ranges in which the ids of slivers may lie, and how many ids each sliver gets there, the best first. On a host with all ids, the range that accounts are given is not among
 * them, because an account may be added later.
 *
 * @param top - the number of existing ids.
 */
function stretches(nrOnHost: number | null, top: number) {
  if (top < wholeHost.to) return smallCounts.map((count) => ({ ...smallNamespace, count, step: 1 }))
  if (nrOnHost === null) return [{ ...wholeHost, count: wholeRange, step: wholeRange }]
  const size = Math.floor((wholeHost.to - wholeHost.from) / sharedHost.nodes)
  const from = wholeHost.from + (nrOnHost - 1) * size
  return sharedHost.counts.map((count) => ({ from, to: from + size, count, step: 1 }))
}

/** Find an owner of ids that overlap with a plan; `null` when there is none. */
export function findOverlap({ base, count }: IdPlan, taken: readonly TakenIds[]): TakenIds | null {
  const end = base + slots * count
  return taken.find((one) => one.from < end && one.from + one.count > base) ?? null
}

/** Return the first and the last id of a plan. */
export function rangeOf({ base, count }: IdPlan): {
  readonly first: number
  readonly last: number
} {
  return { first: base, last: base + slots * count - 1 }
}

/** Read subuid(5) or subgid(5): `name:from:count`. */
export function parseSubordinateIds(text: string, file: string): readonly TakenIds[] {
  return fieldsOf(text).flatMap(([name = '', from, count]) =>
    isId(from) && isId(count)
      ? [{ from: Number(from), count: Number(count), whose: `${name} in ${file}` }]
      : [],
  )
}

/** Read passwd(5) or group(5): `name:password:id:…`. */
export function parseAccounts(text: string, file: string): readonly TakenIds[] {
  return fieldsOf(text).flatMap(([name = '', , id]) =>
    isId(id) ? [{ from: Number(id), count: 1, whose: `${name} in ${file}` }] : [],
  )
}

/** Return the mapping of the sliver with this number (1 to 125). The sliver's root is the id `outside` of the first part. */
export function mapIds({ base, count }: IdPlan, nr: number): readonly IdMapping[] {
  const outside = base + nr * count
  if (count >= wholeRange) return [{ inside: 0, outside, count }]
  return [
    { inside: 0, outside, count: count - 1 },
    { inside: nobody, outside: outside + count - 1, count: 1 },
  ]
}

/** Map an id of a root file system; `null` when the mapping does not contain it. */
export function mapId(mappings: readonly IdMapping[], id: number): number | null {
  const piece = mappings.find(({ inside, count }) => id >= inside && id < inside + count)
  return piece === undefined ? null : piece.outside + id - piece.inside
}

/** Map an id of a root file system. One without a counterpart becomes `nobody`. */
export function mapOrNobody(mappings: readonly IdMapping[], id: number): number {
  return mapId(mappings, id) ?? mapId(mappings, nobody) ?? id
}

interface Stretch {
  readonly from: number
  readonly to: number
  readonly count: number
}

/** Find the lowest range of `count` free ids, at a multiple of `step` from the beginning of the stretch. */
function findFree(
  { from, to, count }: Stretch,
  taken: readonly TakenIds[],
  step: number,
): number | null {
  const sorted = [...taken].sort((one, other) => one.from - other.from)
  let base = from
  for (const one of sorted) {
    const end = one.from + one.count
    if (one.from < base + count && end > base) base = from + Math.ceil((end - from) / step) * step
  }
  return base + count <= to ? base : null
}

function fieldsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/u.test(text)
}

/** Count the ids that exist from 0 on without a gap. */
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
