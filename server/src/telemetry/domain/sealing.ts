import { readFields, type Fields } from './layout.ts'
import type { FieldKind } from '@community-lab/contract/samples'

/**
 * The time that the rows of a sealed file have in common: an hour or a day (UTC). `other` has the rows whose times are so far from the present that a file for
 * each of their hours would be a file for nearly each row: a node without a clock, or with a wrong one, sends such times.
 */
export interface Period {
  readonly kind: 'hour' | 'day' | 'other'
  /** Inclusive, in microseconds since the epoch. */
  readonly startUs: number
  /** Exclusive. */
  readonly endUs: number
}

/** A Parquet file of the store: rows of one measurement that are not in the database any more. */
export interface SealedFile {
  readonly scope: string
  readonly name: string
  /** The path in the folder of sealed files. */
  readonly file: string
  readonly period: Period
  readonly rows: number
  readonly bytes: number
  /** Of the whole file, in hexadecimal digits. */
  readonly sha256: string
  /** The least and greatest time of its rows, in microseconds since the epoch. */
  readonly firstUs: number
  readonly lastUs: number
  /** The least and greatest row number. */
  readonly firstLanded: number
  readonly lastLanded: number
  /** The nodes of its rows, by id; that of the row with the least number comes first. */
  readonly nodes: readonly number[]
  /** The runs of its rows; null when there are too many to list. Rows without a run are not in it. */
  readonly runs: readonly string[] | null
  /** The columns with their types in the file, in order. */
  readonly columns: readonly (readonly [column: string, type: string])[]
  /** Why it cannot be read; null when it can. */
  readonly fault: string | null
}

/** Rows of one hour that are still in the database. */
export interface HotHour {
  /** The beginning of the hour, in microseconds since the epoch. */
  readonly startUs: number
  readonly rows: number
  /** The greatest row number. */
  readonly lastLanded: number
}

/** How much a scope keeps. Rows are removed when the last row of their file is older than so many days, and the oldest when the scope has more than so many bytes. */
export interface Keep {
  /** The most bytes of sealed files of a slice. */
  readonly sliceBytes: number
  readonly sliceDays: number
  /** The most bytes of sealed files of what nodes measure of themselves. */
  readonly nodeBytes: number
  readonly nodeDays: number
}

export const hourUs = 3_600_000_000
export const dayUs = 24 * hourUs
/** An hour is sealed when it has been over for this long: most samples of it have arrived then. */
const graceUs = 600_000_000
/** A day’s files become one when it has been over for this long. */
const dayGraceUs = 6 * hourUs
/** Times further in the past than this are not worth a file for each day. */
const longAgoUs = 400 * dayUs
/** A file of a period that later gets this many others is merged with them. */
const manyFiles = 8
/** Files are merged when the smaller ones together have at least this share of the rows of the largest one. */
const worthShare = 0.1
/** The most rows, and bytes, of a file that is made of others. */
const maxMergedRows = 20_000_000
const maxMergedBytes = 512 * 1024 * 1024

/** Return the period of a time. Late rows of days that are over go to a file of their day. */
export function periodOf(timeUs: number, nowUs: number): Period {
  const day = Math.floor(timeUs / dayUs) * dayUs
  const near = nearPeriod(nowUs)
  if (timeUs < near.startUs || timeUs >= near.endUs)
    return { kind: 'other', startUs: 0, endUs: Number.MAX_SAFE_INTEGER }
  if (day + dayUs + dayGraceUs <= nowUs) return { kind: 'day', startUs: day, endUs: day + dayUs }
  const startUs = Math.floor(timeUs / hourUs) * hourUs
  return { kind: 'hour', startUs, endUs: startUs + hourUs }
}

/** Return the time that is near enough to the present for files of its own: from the beginning of a day to the end of an hour. */
export function nearPeriod(nowUs: number): { readonly startUs: number; readonly endUs: number } {
  const hour = Math.floor(nowUs / hourUs) * hourUs
  const startUs = Math.max(0, Math.floor((hour - longAgoUs) / dayUs) * dayUs)
  return { startUs, endUs: hour + dayUs }
}

/** Tell whether an hour is over, so that its rows may be sealed. One in the future is, too: a wrong clock must not keep rows in the database for ever. */
export function isOver(startUs: number, nowUs: number): boolean {
  return startUs + hourUs + graceUs <= nowUs || startUs > nowUs + 2 * hourUs
}

/** A group of files that become one, and the period of that. */
export interface Merge {
  readonly files: readonly SealedFile[]
  readonly period: Period
}

/**
 * Return which files of a measurement are to be merged: those of a day that is over, once; and those of a period that has got many, or many rows, since. So a
 * row is written three times or so, however late others come. Files that together would be too large stay as they are.
 */
export function planMerges(all: readonly SealedFile[], nowUs: number): readonly Merge[] {
  const groups = new Map<string, { readonly period: Period; readonly files: SealedFile[] }>()
  for (const file of all) {
    if (file.fault !== null) continue
    const wanted = periodOf(file.period.startUs, nowUs)
    const isFar = file.period.kind === 'other' || wanted.kind === 'other'
    const period = isFar ? file.period : wanted
    const key = `${period.kind} ${period.startUs}`
    const group = groups.get(key) ?? { period, files: [] }
    groups.set(key, group)
    group.files.push(file)
  }
  return [...groups.values()].flatMap(({ period, files }) => {
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    if (rows > maxMergedRows || bytes > maxMergedBytes) return []
    const largest = Math.max(...files.map((file) => file.rows))
    const isWorth = rows - largest >= worthShare * largest
    const isFirst = period.kind === 'day' && files.some((file) => file.period.kind === 'hour')
    const isMany = files.length >= manyFiles || (period.kind === 'day' && isWorth)
    return files.length > 1 && (isFirst || isMany) ? [{ files, period }] : []
  })
}

/** Why a file is removed. */
export type RemovalReason = 'age' | 'bytes'

/** A file that is to be removed. */
export interface Removal {
  readonly file: SealedFile
  readonly reason: RemovalReason
}

/**
 * Return which files of one scope are to be removed: those that are too old, and then the oldest until the rest is within the bytes. Files that cannot be read
 * count, because they take room.
 */
export function planRemovals(
  files: readonly SealedFile[],
  { days, bytes, nowUs }: { readonly days: number; readonly bytes: number; readonly nowUs: number },
): readonly Removal[] {
  const oldestFirst = [...files].sort((one, other) => one.lastUs - other.lastUs)
  let left = files.reduce((sum, file) => sum + file.bytes, 0)
  const removals: Removal[] = []
  for (const file of oldestFirst) {
    const isOld = file.lastUs < nowUs - days * dayUs
    if (!isOld && left <= bytes) continue
    left -= file.bytes
    removals.push({ file, reason: isOld ? 'age' : 'bytes' })
  }
  return removals
}

/** The path of a new file in the folder of sealed files. `tag` makes it unique. */
export function sealedPath(
  { scope, name }: { readonly scope: string; readonly name: string },
  { kind, startUs }: Period,
  tag: string,
): string {
  const start = new Date(startUs / 1000).toISOString()
  const begin = { hour: start.slice(0, 13), day: start.slice(0, 10), other: 'other' }[kind]
  return `${scope}/${name}/${begin}-${tag}.parquet`
}

/** Return the fields of a sealed file, as {@link readFields} does for a table. */
export function fieldsOfFile(
  columns: SealedFile['columns'],
  firstNames: ReadonlySet<string>,
): Fields {
  return readFields(
    columns
      .filter(([column]) => !firstNames.has(column))
      .map(([column, type]) => ({ column, kind: kindOfSealed(type) })),
  )
}

/** Return the kind of the values in a column of a sealed file. Numbers that all have few decimals are exact decimals there; see `encoding.ts`. */
function kindOfSealed(type: string): FieldKind {
  if (type === 'BIGINT' || type === 'DECIMAL(38,0)') return 'integer'
  if (type === 'DOUBLE' || type.startsWith('DECIMAL(18,')) return 'number'
  return type === 'BOOLEAN' ? 'boolean' : 'text'
}
