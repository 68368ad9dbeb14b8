import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  HealthManifest,
  LabError,
  path as fillRoute,
  PublishedDay,
  routes,
  type HealthTable,
} from '@community-lab/contract'
import Type from 'typebox'
import { currentDisplay } from '../display/current.ts'
import type { Session } from '../session.ts'
import { mapBounded } from '../wait/concurrency.ts'

/** The finished days of a period that are published, as files on this machine. */
export interface PublishedDays {
  /** Up to here the published tables are complete: rows from here on are in the store; null: nothing is published. */
  readonly until: Date | null
  /** The clock of a node was off by so much at most, in milliseconds: rows of the store may be after `until` where the node's clock was before it by so much. */
  readonly marginMs: number
  /** The files of each table. */
  readonly files: ReadonlyMap<string, readonly string[]>
  /** The tables as the manifests describe them, the latest of each. */
  readonly tables: ReadonlyMap<string, HealthTable>
}

const dayMs = 86_400_000
const concurrency = 4
/** The most bytes of files that are kept on this machine. Those that were not used for the longest time go first. */
const maxCacheBytes = 2 * 1024 ** 3
/** More files than this are told of while they are fetched. */
const quietFiles = 8

/**
 * Fetch the published days of a period. Files that are on this machine already, by their checksum, are not fetched again. A server that publishes nothing has no days.
 *
 * @throws {@link LabError} LAB_DOWNLOAD_FAILED when a file is not what its manifest says.
 */
export async function fetchPublishedDays(
  { http }: Session,
  { from, to, signal }: { readonly from: Date; readonly to: Date; readonly signal: AbortSignal },
): Promise<PublishedDays> {
  const days = chooseDays(await listDays({ http }, signal), { from, to })
  const manifests = await mapBounded(days, concurrency, ({ manifest }) =>
    http.ask(HealthManifest, manifest, { signal }),
  )
  const wanted = manifests.flatMap(({ day, tables }) =>
    tables.filter(({ rows }) => rows > 0).map((table) => ({ day, table })),
  )
  const folder = cacheFolder()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const tell = wanted.length > quietFiles ? createTeller(wanted.length) : () => undefined
  const files = new Map<string, string[]>()
  const tables = new Map<string, HealthTable>()
  await mapBounded(wanted, concurrency, async ({ day, table }) => {
    signal.throwIfAborted()
    const file = path.join(folder, `${table.sha256}.parquet`)
    if (!(await isThere(file, table.bytes))) await fetchFile({ http }, { day, table, file, signal })
    tell()
  })
  for (const { table } of wanted) {
    const file = path.join(folder, `${table.sha256}.parquet`)
    files.set(table.name, [...(files.get(table.name) ?? []), file])
    tables.set(table.name, table)
  }
  await prune(folder, new Set([...files.values()].flat()))
  const last = days.at(-1)
  const until = last === undefined ? null : new Date(beginOf(last) + dayMs)
  const marginMs = (manifests.at(-1)?.clock_margin_s ?? 0) * 1000
  return { until, marginMs, files, tables }
}

/** Choose the days of a period: from its first one on, as long as none is missing. What comes after a missing day is read from the store. */
function chooseDays(
  days: readonly PublishedDay[],
  { from, to }: { readonly from: Date; readonly to: Date },
): readonly PublishedDay[] {
  const within = days.filter(
    (day) => beginOf(day) + dayMs > from.getTime() && beginOf(day) < to.getTime(),
  )
  const first = within[0]
  // A day that the server will still publish is before those that it has published.
  if (first === undefined) return []
  return within.filter((day, index) => beginOf(day) === beginOf(first) + index * dayMs)
}

function beginOf({ day }: PublishedDay): number {
  return Date.parse(`${day}T00:00:00.000Z`)
}

type Client = Pick<Session, 'http'>

async function listDays({ http }: Client, signal: AbortSignal): Promise<readonly PublishedDay[]> {
  try {
    return await http.ask(Type.Array(PublishedDay), routes.healthDays, { signal })
  } catch (error) {
    // An older server publishes nothing.
    if (LabError.is(error) && error.code === 'LAB_NOT_FOUND') return []
    throw error
  }
}

async function fetchFile(
  { http }: Client,
  options: {
    readonly day: string
    readonly table: HealthTable
    readonly file: string
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { day, table, file, signal } = options
  const draft = `${file}.${randomUUID()}.part`
  try {
    const route = fillRoute(routes.healthFile, { day, file: table.file })
    const accept = 'application/vnd.apache.parquet'
    const { body } = await http.open(route, { accept, signal })
    await pipeline(body, createWriteStream(draft, { mode: 0o600 }), { signal })
    const hash = createHash('sha256')
    await pipeline(createReadStream(draft), hash, { signal })
    if (hash.digest('hex') !== table.sha256)
      throw new LabError('LAB_DOWNLOAD_FAILED', {
        what: `${table.file} of ${day}`,
        reason: 'its checksum is not that of the manifest',
      })
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Tell whether a file is on this machine, and note that it is used. */
async function isThere(file: string, bytes: number): Promise<boolean> {
  try {
    if ((await stat(file)).size !== bytes) return false
    const now = new Date()
    await utimes(file, now, now)
    return true
  } catch {
    // It is fetched, and that says what is wrong.
    return false
  }
}

/** Remove the files that were not used for the longest time when all take too much disk. Those in use stay. */
async function prune(folder: string, used: ReadonlySet<string>): Promise<void> {
  const found = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = path.join(folder, name)
      const facts = await stat(file).catch(() => null)
      return { file, bytes: facts?.size ?? 0, usedMs: facts?.mtimeMs ?? 0 }
    }),
  )
  let bytes = found.reduce((sum, each) => sum + each.bytes, 0)
  for (const each of found.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= maxCacheBytes) break
    if (used.has(each.file)) continue
    await rm(each.file, { force: true })
    bytes -= each.bytes
  }
}

function createTeller(count: number): () => void {
  const display = currentDisplay().newDisplay()
  let done = 0
  return () => {
    done++
    if (done === count || done % quietFiles === 0)
      display.update({ 'text/plain': `node health: ${done} of ${count} files of published days` })
  }
}

/** Source: the XDG Base Directory Specification. */
function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? ''
  const root = path.isAbsolute(base) ? base : path.join(homedir(), '.cache')
  return path.join(root, 'community-lab', 'node-health')
}
