import type { HealthManifest, HealthTable, PublishedDay } from '@community-lab/contract'
import { path, routes } from '@community-lab/contract'
import { dayMs } from '../../domain/day.ts'

/** The version of the manifest's format. */
export const formatVersion = 2

/** What a row of each table is. */
export const tableHelp: Readonly<Record<string, string>> = {
  node_health: 'what a node measured of itself: processors, memory, disk, load',
  node_network: 'the counters of an interface of a node, since the interface was made',
  node_links: 'a neighbour of a node in the community network, as the node sees it (babeld)',
  node_routes:
    'a route of a node (babeld): all of them in rounds with event full, which replace what was told before; between them what was added, changed or removed',
  sliver_health: 'what a sliver used: processor time since its start, memory, processes',
  clock: "the offset of a node's clock from the server's, and its bound; time is the node's",
  node_states:
    'a state of a node from time to to_time, within the day; nodata: no server was running',
  sliver_use: 'a time in which a sliver of a slice ran on a node, as the journal has it',
}

/** Options of {@link makeManifest}. */
export interface ManifestOptions {
  readonly day: string
  readonly tables: readonly HealthTable[]
  readonly software: string
  readonly writtenMs: number
  /** See {@link HealthManifest}. */
  readonly clockMarginS: number
  /** The version that this one replaces, and why; null: it is the first. */
  readonly replaces: { readonly manifest: HealthManifest; readonly reason: string } | null
}

/** Describe a day. */
export function makeManifest(options: ManifestOptions): HealthManifest {
  const { day, tables, software, writtenMs, replaces } = options
  const version = (replaces?.manifest.version ?? 0) + 1
  const writtenOn = new Date(writtenMs).toISOString()
  return {
    format: formatVersion,
    name: 'node-health',
    title: `Health, links, routes and states of all nodes, ${day} (UTC)`,
    day,
    version,
    written_on: writtenOn,
    revisions:
      replaces === null
        ? []
        : [
            ...replaces.manifest.revisions,
            {
              version: replaces.manifest.version,
              written_on: replaces.manifest.written_on,
              reason: replaces.reason,
            },
          ],
    licence: 'CC-BY-4.0',
    software,
    cite_as: `Community-Lab: node health of ${day}, version ${version}, written on ${writtenOn}`,
    clock_margin_s: options.clockMarginS,
    tables: [...tables],
  }
}

/** Describe a day in a line of the list of days. */
export function listed(manifest: HealthManifest): PublishedDay {
  const sum = (of: 'rows' | 'bytes') => manifest.tables.reduce((all, table) => all + table[of], 0)
  return {
    day: manifest.day,
    version: manifest.version,
    written_on: manifest.written_on,
    rows: sum('rows'),
    bytes: sum('bytes'),
    manifest: path(routes.healthManifest, { day: manifest.day }),
  }
}

/** Return the name of a day (UTC). */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Return the beginning of a day in milliseconds since the epoch; null when there is no such day. */
export function beginOf(day: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/u.test(day)) return null
  const ms = Date.parse(`${day}T00:00:00.000Z`)
  return Number.isNaN(ms) || dayOf(ms) !== day ? null : ms
}

/** Return the days to publish, in order: those that have ended `graceMs` ago, from that of the first sample on, at most the latest `most`. */
export function dueDays(options: {
  readonly firstMs: number
  readonly nowMs: number
  readonly graceMs: number
  readonly most: number
}): readonly string[] {
  const { firstMs, nowMs, graceMs, most } = options
  const endMs = Math.floor((nowMs - graceMs) / dayMs) * dayMs
  const beginMs = Math.max(Math.floor(firstMs / dayMs) * dayMs, endMs - most * dayMs)
  const days: string[] = []
  for (let ms = beginMs; ms < endMs; ms += dayMs) days.push(dayOf(ms))
  return days
}
