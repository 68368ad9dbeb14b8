import { randomUUID } from 'node:crypto'
import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { createQueue, messageOf } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { measurementKey, quoteText, tableOf } from '../domain/name.ts'
import {
  hourUs,
  isOver,
  nearPeriod,
  periodOf,
  planMerges,
  type HotHour,
  type Merge,
  type Period,
  type SealedFile,
} from '../domain/sealing.ts'
import type { StoredTable } from './catalog.ts'
import { findDamaged } from './check-files.ts'
import { scratchDir } from './database.ts'
import { interruptEveryMs } from './exports.ts'
import type { FileWriter } from './file-writer.ts'
import type { Ingest } from './ingest.ts'
import type { CompactionReport, StoreSettings } from './protocol.ts'
import { allOf, columnsOf, parquetInteger, sealedRows, selectColumns } from './relation.ts'
import { commitChange } from './commit-change.ts'
import { removeOldRows, type RemovalContext } from './removals.ts'
import { sealedDir, type SealedFiles } from './sealed-files.ts'

/** Moves rows of hours that are over from the database to sealed files, merges files, and removes the oldest ones of a scope that has too many. */
export interface Compaction {
  /** Do what is due at a time, in microseconds since the epoch. Calls run one after another. */
  run(nowUs: number): Promise<CompactionReport>
  /** Give up what is being done. Nothing is lost: it is done the next time. */
  close(): Promise<void>
}

/** What {@link createCompaction} needs. */
export interface CompactionContext {
  readonly settings: StoreSettings
  readonly ingest: Ingest
  readonly files: SealedFiles
  readonly writer: FileWriter
  /** A connection of its own for reading. */
  readonly connection: DuckDBConnection
  /** See {@link RemovalContext}. */
  readonly onRemoved: RemovalContext['onRemoved']
}

/** The most rows of one file that is sealed: removing a million rows delays commits by a tenth of a second. */
const maxSealedRows = 1_000_000
/** An hour that is over and still gets rows is sealed after this many rounds. */
const patience = 12
/** The most files that are sealed of a measurement in one round. */
const maxFilesPerRound = 64
/** The row groups of the file in which rows go from one DuckDB to the other. */
const passedGroupRows = 4_096

/** Create the compaction of a store. */
export function createCompaction(context: CompactionContext): Compaction {
  const { settings, ingest, files, writer, connection, onRemoved } = context
  const dir = sealedDir(settings.dir)
  const scratch = scratchDir(settings.dir)
  const closing = new AbortController()
  const isClosing = (): boolean => closing.signal.aborted
  /** Rows up to this number were there at the last round. */
  let quietLanded = ingest.catalog.committedLanded
  /** How many rounds an hour that is over has been waited for. */
  let waited = new Map<string, number>()

  async function run(nowUs: number): Promise<CompactionReport> {
    const report = { sealed: 0, merged: 0, removed: 0, rows: 0, failures: [] as string[] }
    const before = quietLanded
    quietLanded = ingest.catalog.committedLanded
    const stillWaiting = new Map<string, number>()
    const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
      if (isClosing()) return
      try {
        await work()
      } catch (error) {
        if (!isClosing()) report.failures.push(`${what}: ${messageOf(error)}`)
      }
    }
    // Removing comes first: it makes room.
    await attempt('remove old files', async () => {
      report.removed += await removeOldRows(
        { keep: settings.keep, ingest, files, onRemoved },
        nowUs,
      )
    })
    const { bavail, bsize } = await statfs(settings.dir)
    if (bavail * bsize >= settings.compactFreeBytes)
      for (const table of [...ingest.catalog.tables.values()]) {
        if (table.committed === null) continue
        const key = measurementKey(table.scope, table.name)
        await attempt(key, async () => {
          const due = await findDue(table, { nowUs, quiet: before, stillWaiting })
          for (const { period, lastLanded } of due) {
            if (isClosing()) return
            const rows = await seal(table, { period, upTo: lastLanded, nowUs })
            if (rows === 0) continue
            report.sealed++
            report.rows += rows
          }
          for (const merge of planMerges(files.of(table), nowUs)) {
            if (isClosing()) return
            if (await mergeFiles(table, merge)) report.merged += merge.files.length
          }
        })
      }
    waited = stillWaiting
    return report
  }

  /** Find what is to be sealed of a measurement. */
  async function findDue(
    table: StoredTable,
    {
      nowUs,
      quiet,
      stillWaiting,
    }: {
      readonly nowUs: number
      readonly quiet: number
      readonly stillWaiting: Map<string, number>
    },
  ): Promise<readonly { readonly period: Period; readonly lastLanded: number }[]> {
    const answer = await connection.runAndReadAll(
      `select (epoch_us(time) // ${hourUs})::double, count(*)::double, max(landed)::double from ${tableOf(table)}
       where landed <= ${ingest.catalog.committedLanded} group by 1 order by 1`,
    )
    const hours = answer.getRowsJS().map(([hour, rows, lastLanded]): HotHour => ({
      ...{ startUs: Number(hour) * hourUs, rows: Number(rows), lastLanded: Number(lastLanded) },
    }))
    const due = new Map<string, { period: Period; lastLanded: number }>()
    for (const { startUs, rows, lastLanded } of hours) {
      if (!isOver(startUs, nowUs)) continue
      const key = `${measurementKey(table.scope, table.name)} ${startUs}`
      const rounds = (waited.get(key) ?? 0) + 1
      if (lastLanded > quiet && rounds < patience && rows < maxSealedRows) {
        stillWaiting.set(key, rounds)
        continue
      }
      const period = periodOf(startUs, nowUs)
      const of = `${period.kind} ${period.startUs}`
      const known = due.get(of)
      due.set(of, { period, lastLanded: Math.max(known?.lastLanded ?? 0, lastLanded) })
    }
    return [...due.values()].slice(0, maxFilesPerRound)
  }

  /**
   * Move rows to a new file, in parts. Each part is one transaction that adds the file to the manifest and takes its rows out of the database. Killed at any
   * point before, the file is set aside when the store opens; killed after it, everything is done.
   */
  async function seal(
    table: StoredTable,
    { period, upTo, nowUs }: { readonly period: Period; readonly upTo: number; nowUs: number },
  ): Promise<number> {
    const inPeriod = conditionOf(period, nowUs)
    let sealed = 0
    for (;;) {
      const last = await lastOfPart(table, `${inPeriod} and landed <= ${upTo}`)
      if (last === null) return sealed
      const part = `${inPeriod} and landed <= ${last}`
      const rows = await sealPart(table, { period, part })
      sealed += rows
      if (rows === 0 || last >= upTo) return sealed
    }
  }

  /** Return the number of the last row of the next part; null when there are no more rows. */
  async function lastOfPart(table: StoredTable, condition: string): Promise<number | null> {
    const answer = await connection.runAndReadAll(
      `select max(landed)::double from (select landed from ${tableOf(table)} where ${condition} order by landed limit ${maxSealedRows})`,
    )
    const [last] = answer.getRowsJS()[0] ?? []
    return typeof last === 'number' ? last : null
  }

  async function sealPart(
    table: StoredTable,
    { period, part }: { readonly period: Period; readonly part: string },
  ): Promise<number> {
    const columns = columnsOf(table)
    const layout = JSON.stringify(columns)
    const passed = join(scratch, `${randomUUID()}.parquet`)
    try {
      await connection.run(
        `copy (select ${selectColumns(table, {}, parquetInteger)} from ${tableOf(table)} where ${part})
         to ${quoteText(passed)} (format parquet, compression lz4, row_group_size ${passedGroupRows})`,
      )
      const source = `(select ${selectColumns(table, {})} from read_parquet(${quoteText(passed)}))`
      const file = await writer.write(table, { period, source, columns })
      if (file === null) return 0
      const isDone = await ingest.exclusive(async (writing) => {
        // A commit has changed the columns meanwhile. The next round seals these rows.
        const now = ingest.catalog.tables.get(measurementKey(table.scope, table.name))
        if (now === undefined || JSON.stringify(columnsOf(now)) !== layout) return false
        const change = { added: [file], retired: [], isRemoval: false }
        const leaving = { sql: `delete from ${tableOf(table)} where ${part}`, rows: file.rows }
        return commitChange({ writing, files }, change, { leaving })
      })
      if (isDone) return file.rows
      await rm(join(dir, file.file), { force: true })
      return 0
    } finally {
      await rm(passed, { force: true })
    }
  }

  /** Merge files into one. */
  async function mergeFiles(table: StoredTable, { files: old, period }: Merge): Promise<boolean> {
    const columns = columnsOf(table)
    const layout = JSON.stringify(columns)
    const rows = sealedRows(table, old, { range: allOf, dir }).join(' union all ')
    let added: SealedFile | null
    try {
      added = await writer.write(table, { period, source: `(${rows})`, columns })
    } catch (error) {
      const damaged = await findDamaged(settings.dir, files, old)
      if (damaged.length === 0) throw error
      throw new Error(damaged.join('; '), { cause: error })
    }
    const expected = old.reduce((sum, file) => sum + file.rows, 0)
    const isWhole = added?.rows === expected
    const isDone =
      added !== null &&
      isWhole &&
      (await ingest.exclusive((writing) => {
        const now = ingest.catalog.tables.get(measurementKey(table.scope, table.name))
        if (now === undefined || JSON.stringify(columnsOf(now)) !== layout)
          return Promise.resolve(false)
        return commitChange({ writing, files }, { added: [added], retired: old, isRemoval: false })
      }))
    if (!isDone && added !== null) await rm(join(dir, added.file), { force: true })
    return isDone
  }

  const enqueue = createQueue()
  return {
    run: (nowUs) => enqueue(() => run(nowUs)),
    async close() {
      closing.abort()
      const again = setInterval(() => {
        writer.interrupt()
        connection.interrupt()
      }, interruptEveryMs)
      await enqueue(() => Promise.resolve())
      clearInterval(again)
    },
  }
}

/** Return the condition for the rows of a period in the database. */
function conditionOf(period: Period, nowUs: number): string {
  const { startUs, endUs } = period.kind === 'other' ? nearPeriod(nowUs) : period
  const isWithin = `time >= make_timestamp(${startUs}::bigint) and time < make_timestamp(${endUs}::bigint)`
  return period.kind === 'other' ? `not (${isWithin})` : isWithin
}
