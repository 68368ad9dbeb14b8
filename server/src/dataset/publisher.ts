import { randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  clockMeasurement,
  HealthManifest,
  isReadable,
  nodeMeasurements,
  type HealthTable,
  type PublishedDay,
} from '@community-lab/contract'
import { isHalfWritten, writeWhole } from '@community-lab/contract/host'
import { dayMs } from '../domain/day.ts'
import type { Period } from '../domain/history.ts'
import { nodeScope } from '../telemetry/domain/name.ts'
import type { TelemetryStore } from '../telemetry/store.ts'
import { clockReachMs, maxMarginS } from './domain/clock-reach.ts'
import type { DayWriter, PublishedFile } from './day-writer.ts'
import { beginOf, dayOf, dueDays, formatVersion, listed, makeManifest } from './domain/manifest.ts'
import type { Recorded } from './recorded.ts'

/** Options of {@link openHealthDataset}. */
export interface HealthDatasetOptions {
  /** The folder of the dataset. It is created when it does not exist. */
  readonly dir: string
  readonly store: TelemetryStore
  /** Read what the server itself has recorded in a period. */
  readonly recorded: (period: Period) => Promise<readonly Recorded[]>
  /** The name and version of this software. */
  readonly software: string
  /** The time in milliseconds since the epoch. */
  readonly now: () => number
  /** The most disk that the days take, in bytes; the oldest go first. Default 8 GiB. */
  readonly maxBytes?: number
}

/** The public dataset of node health: a folder for each finished day (UTC), with its manifest and its Parquet files. */
export interface HealthDataset {
  /** Publish the days that are due, and those anew of which samples came later. Ends early when the signal is aborted. */
  publish(signal: AbortSignal): Promise<void>
  /** List the published days, in order. */
  days(): readonly PublishedDay[]
  /** Read what the server itself has recorded in a period, also of days that are not published yet. */
  recorded(period: Period): Promise<readonly Recorded[]>
  /** Return the manifest of a day; null: it is not published. */
  manifest(day: string): HealthManifest | null
  /** Return the path of a file that the manifest of a day names, with its table; null: there is none. */
  file(day: string, name: string): { readonly path: string; readonly table: HealthTable } | null
}

/** A day is published so long after its end: nodes' samples come within seconds, when nothing is wrong. */
const graceMs = 30 * 60_000
/** The most days that are published, and for how long samples are added to a published day. */
const maxDays = 400
const revisedDays = 7
/** A file that a manifest does not name any more stays so long: a reader may have read the manifest before. */
const keepUnnamedMs = 3_600_000
const defaultMaxBytes = 8 * 1024 ** 3
const manifestFile = 'manifest.json'

/** Open the dataset, and read what is published. A day whose manifest cannot be read is published again. */
export async function openHealthDataset(options: HealthDatasetOptions): Promise<HealthDataset> {
  const { dir, store, now } = options
  const drafts = join(dir, '.drafts')
  await rm(drafts, { recursive: true, force: true })
  await mkdir(drafts, { recursive: true, mode: 0o700 })
  const published = new Map<string, HealthManifest>()
  /** Up to which number samples were looked at that turned out to be of other days, by day and table. */
  const seen = new Map<string, number>()
  for (const day of (await readdir(dir)).filter((name) => beginOf(name) !== null).sort()) {
    const manifest = await readManifest(join(dir, day))
    if (manifest?.day === day) published.set(day, manifest)
  }

  /** Write the samples of a day that landed after the given one into a file, and use it. Returns null when there is no such measurement. */
  async function withSamples<T>(
    { name, after }: { readonly name: string; readonly after: number },
    { fromMs, toMs }: Period,
    { signal, use }: { readonly signal: AbortSignal; readonly use: (file: string) => Promise<T> },
  ): Promise<T | null> {
    const file = join(drafts, `${randomUUID()}.parquet`)
    const asked = { scope: nodeScope, name, run: null, after, fromUs: fromMs * 1000 }
    const reader = { reader: 'node-health', isAnonymous: false }
    try {
      const isThere = await store.writeParquet(
        { ...asked, toUs: toMs * 1000, ...reader, file },
        signal,
      )
      return isThere ? await use(file) : null
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Return what is published of a measurement and day; null: nothing. */
  function publishedFile(day: string, name: string): PublishedFile | null {
    const table = published.get(day)?.tables.find((each) => each.name === name)
    return table === undefined ? null : { path: join(dir, day, table.file), table }
  }

  /** Return up to which number the samples of a day were looked at. */
  function seenUpTo(day: string, name: string): number {
    const landed = publishedFile(day, name)?.table.landed ?? 0
    return Math.max(landed, seen.get(`${day} ${name}`) ?? 0)
  }

  /** Tell whether samples that may be of a published day have come since. */
  async function hasNews({ day, ...manifest }: HealthManifest, signal: AbortSignal) {
    for (const name of Object.keys(nodeMeasurements)) {
      signal.throwIfAborted()
      const { fromMs, toMs } = reachOf(day, name, manifest.clock_margin_s ?? 0)
      const period = { fromUs: fromMs * 1000, toUs: toMs * 1000 }
      const asked = { scope: nodeScope, name, after: seenUpTo(day, name) }
      if ((await store.count({ ...asked, ...period })) > 0) return true
    }
    return false
  }

  /** Publish a day, or anew if samples have come that are of it. */
  async function publishDay(day: string, { writer, signal }: Work) {
    const period = periodOf(day)
    const [dayBefore, dayAfter] = [dayOf(period.fromMs - dayMs), dayOf(period.toMs)]
    const clocks = { name: clockMeasurement, after: 0 }
    const use = (file: string): Promise<number> => writer.useClocks(file)
    const marginS =
      (await withSamples(clocks, clockPeriod(period), { signal, use })) ??
      (await writer.useClocks(null))
    // What the day before has left to this one is looked for as far.
    const reachS = Math.max(marginS, published.get(dayBefore)?.clock_margin_s ?? 0)
    const tables: HealthTable[] = []
    const late: string[] = []
    for (const name of Object.keys(nodeMeasurements)) {
      // What is published stays, also where the store has removed it because it keeps no more.
      const known = publishedFile(day, name)
      const isClock = name === clockMeasurement
      const earlier = isClock ? null : publishedFile(dayBefore, name)
      const later = isClock ? null : publishedFile(dayAfter, name)
      const from = { name, after: seenUpTo(day, name) }
      const written = await withSamples(from, reachOf(day, name, reachS), {
        signal,
        use: (file) => writer.sorted(name, { period, file, published: known, earlier, later }),
      })
      const table = written?.table ?? known?.table
      if (table === undefined) continue
      tables.push(table)
      if (written !== null && written.added > 0) late.push(`${name} ${written.added}`)
    }
    const before = published.get(day)
    if (before !== undefined && late.length === 0) {
      for (const { name, landed } of tables) seen.set(`${day} ${name}`, landed)
      return
    }
    for (const recorded of await options.recorded(period))
      tables.push(await writer.recorded(recorded))
    const manifest = makeManifest({
      ...{ day, tables, software: options.software, writtenMs: now() },
      clockMarginS: Math.max(marginS, before?.clock_margin_s ?? 0),
      replaces:
        before === undefined
          ? null
          : { manifest: before, reason: `rows that came later: ${late.join(', ')}` },
    })
    // The manifest makes the day published, and is written last. What a killed server has left is not named by any manifest.
    const text = `${JSON.stringify(manifest, null, 2)}\n`
    await writeWhole(join(dir, day, manifestFile), text, 0o644)
    published.set(day, manifest)
  }

  async function withWriter(day: string, work: (writer: DayWriter) => Promise<void>) {
    const folder = join(dir, day)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    // It is loaded only here: most of the time, a server does not need a second DuckDB.
    const { openDayWriter } = await import('./day-writer.ts')
    await using writer = await openDayWriter(folder)
    await work(writer)
    await removeUnnamed(folder, published.get(day), now())
  }

  async function removeOldest(): Promise<void> {
    const days = [...published.keys()].sort()
    let bytes = days.reduce((sum, day) => sum + sizeOf(published.get(day)), 0)
    const oldestMs = now() - (maxDays + 1) * dayMs
    for (const day of days) {
      const isOld = (beginOf(day) ?? 0) < oldestMs
      if (!isOld && bytes <= (options.maxBytes ?? defaultMaxBytes)) break
      bytes -= sizeOf(published.get(day))
      published.delete(day)
      await rm(join(dir, day), { recursive: true, force: true })
      forgotten = day
    }
  }

  /** The latest day that was removed for its disk. It is not published again. */
  let forgotten = ''

  return {
    async publish(signal) {
      const firstMs = await firstSampleMs(store)
      if (firstMs === null) return
      const due = dueDays({ firstMs, nowMs: now(), graceMs, most: maxDays })
      const first = [...published.keys()].sort()[0] ?? ''
      for (const day of due) {
        if (signal.aborted) return
        const manifest = published.get(day)
        if (manifest === undefined) {
          // Days before the first one were removed.
          if (day <= forgotten || (first !== '' && day < first)) continue
          await withWriter(day, (writer) => publishDay(day, { writer, signal }))
        } else if (now() - (beginOf(day) ?? 0) <= (revisedDays + 1) * dayMs + graceMs) {
          if (await hasNews(manifest, signal))
            await withWriter(day, (writer) => publishDay(day, { writer, signal }))
        }
      }
      await removeOldest()
    },
    days: () =>
      [...published.keys()]
        .sort()
        .flatMap((day) => published.get(day) ?? [])
        .map(listed),
    recorded: (period) => options.recorded(period),
    manifest: (day) => published.get(day) ?? null,
    file(day, name) {
      const table = published.get(day)?.tables.find(({ file }) => file === name)
      return table === undefined ? null : { path: join(dir, day, table.file), table }
    },
  }
}

interface Work {
  readonly writer: DayWriter
  readonly signal: AbortSignal
}

function periodOf(day: string): Period {
  const fromMs = beginOf(day) ?? 0
  return { fromMs, toMs: fromMs + dayMs }
}

/** The time in which clocks have told something of a day, whatever they showed. */
function clockPeriod({ fromMs, toMs }: Period): Period {
  const reachMs = maxMarginS * 1000 + clockReachMs
  return { fromMs: fromMs - reachMs, toMs: toMs + reachMs }
}

/** The time, by the clocks of the nodes, of what may be samples of a day. */
function reachOf(day: string, name: string, marginS: number): Period {
  const { fromMs, toMs } = periodOf(day)
  const marginMs = name === clockMeasurement ? 0 : marginS * 1000
  return { fromMs: fromMs - marginMs, toMs: toMs + marginMs }
}

function sizeOf(manifest: HealthManifest | undefined): number {
  return manifest?.tables.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0
}

/** Return the time of the first sample of nodes; null: there is none. */
async function firstSampleMs(store: TelemetryStore): Promise<number | null> {
  const times = (await store.list())
    .filter(({ scope, name }) => scope === nodeScope && Object.hasOwn(nodeMeasurements, name))
    .map(({ first_time: time }) => (time === null ? Number.NaN : Date.parse(time)))
    .filter((ms) => !Number.isNaN(ms))
  return times.length === 0 ? null : Math.min(...times)
}

/** Read the manifest of a day; null when it is of a later version, damaged, or names a file that is not there. */
async function readManifest(folder: string): Promise<HealthManifest | null> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, manifestFile), 'utf8'))
    if (!isReadable(HealthManifest, manifest) || manifest.format > formatVersion) return null
    for (const { file, bytes } of manifest.tables)
      if ((await stat(join(folder, file))).size !== bytes) return null
    return manifest
  } catch {
    // It is written again.
    return null
  }
}

async function removeUnnamed(
  folder: string,
  manifest: HealthManifest | undefined,
  nowMs: number,
): Promise<void> {
  const named = new Set([manifestFile, ...(manifest?.tables ?? []).map(({ file }) => file)])
  for (const name of await readdir(folder)) {
    if (named.has(name)) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path)
    if (isHalfWritten(name) || nowMs - mtimeMs > keepUnnamedMs)
      await rm(path, { recursive: true, force: true })
  }
}
