import { LabError, nearestName } from '@community-lab/contract'
import * as ObservablePlot from '@observablehq/plot'
import { askFirstRow, hasColumn, isRow, type Asked, type Row } from './first-row.ts'
import { withoutCalls } from './quiet-functions.ts'

/** Columns that the marks of a figure read in vain. */
export interface ColumnReport {
  /** What to tell the reader of the figure: for each column the problem and what may help. */
  readonly notes: readonly { readonly problem: string; readonly help: string }[]
  /** The marks that read them. */
  readonly marks: ReadonlySet<object>
}

/** A column that does not exist, and what reads it. */
interface MissingColumn {
  readonly column: string
  /** The channel that reads it, such as `y`; null when a transform does, such as `groupX`. */
  readonly channel: string | null
  /** The columns that the rows have. */
  readonly columns: readonly string[]
  /** The names of the marks that read it, such as `bar`. */
  readonly readers: Set<string>
}

type Index = readonly number[]

interface Channel {
  readonly value?: unknown
  readonly label?: string | null
}

type Channels = Readonly<Record<string, Channel>>

interface State {
  readonly data: unknown
  readonly facets: readonly Index[] | undefined
  readonly channels: Channels
}

type Initializer = (
  this: InitializingMark,
  data: unknown,
  facets: readonly Index[] | undefined,
  channels: Channels,
  ...rest: readonly unknown[]
) => unknown

interface InitializingMark {
  readonly ariaLabel?: string
  readonly data: unknown
  readonly channels: Channels
  readonly fx?: unknown
  readonly fy?: unknown
  initializer?: Initializer | null | undefined
  initialize(
    facets: readonly Index[] | undefined,
    facetChannels: Channels | undefined,
    ...rest: readonly unknown[]
  ): State
}

/** By column: those that no row has. */
let missing = new Map<string, MissingColumn>()
/** By column: the marks whose bars have no height or length, because the column has no number. Each is described, such as `bar has a height`. */
let flat = new Map<string, Set<string>>()
let found = new Set<object>()

/** Begin to note the columns that marks read in vain. The returned function describes those noted since. */
export function noteColumns(facet: ObservablePlot.PlotFacetOptions = {}): () => ColumnReport {
  missing = new Map()
  flat = new Map()
  found = new Set()
  for (const channel of ['x', 'y'] as const)
    if (typeof facet[channel] === 'string')
      noteMissing('facet', facet.data, { column: facet[channel], channel })
  const [absent, withoutNumber, marks] = [missing, flat, found]
  return () => ({
    notes: [
      ...[...absent.values()].map(describeMissing),
      ...[...withoutNumber].map(([column, lacks]) => ({
        problem: `no ${[...lacks].join(' and no ')}`,
        help: `no row has a number in the column ${column}`,
      })),
    ],
    marks,
  })
}

function describeMissing({
  column,
  channel,
  columns,
  readers,
}: MissingColumn): ColumnReport['notes'][number] {
  const near = nearestName(column, columns)
  const place = channel === null ? '' : ` (${channel})`
  const color = channel === 'fill' || channel === 'stroke' ? ' and which is no colour' : ''
  const reads = `${listFormat.format(readers)} ${readers.size === 1 ? 'reads' : 'read'}`
  return {
    problem: `${reads} the column ${column}${place}, which no row has${color}`,
    help:
      near === null
        ? `the columns are ${columns.slice(0, maxColumns).join(', ')}`
        : `did you mean ${near}?`,
  }
}

const listFormat = new Intl.ListFormat('en')

/** The most columns that a note lists. */
const maxColumns = 12

/** Return the rows of data that consists of objects; null for other data, such as numbers. */
function rowsOf(data: unknown): readonly Row[] | null {
  if (!Array.isArray(data)) return null
  return isRow(data.find((row: unknown) => row != null)) ? data : null
}

/** Note a column if no row has it. Return whether that is so. */
function noteMissing(
  reader: string,
  data: unknown,
  { column, channel }: Pick<MissingColumn, 'column' | 'channel'>,
): boolean {
  const columns = columnsWithout(column, data)
  if (columns === null) return false
  const known = missing.get(column)
  known?.readers.add(reader)
  const readers = known?.readers ?? new Set([reader])
  missing.set(column, { column, channel: known?.channel ?? channel, columns, readers })
  return true
}

/** Return the columns of the rows if none of them has this one; null when one has it, or there are no rows with columns. */
function columnsWithout(column: string, data: unknown): readonly string[] | null {
  const rows = rowsOf(data) ?? []
  const first = rows.find(isRow)
  const hasNone = first !== undefined && !rows.some((row) => isRow(row) && hasColumn(row, column))
  return hasNone ? Object.keys(first) : null
}

/** @throws {@link LabError} LAB_FIGURE_INVALID when no row has the column. */
export function requireColumn(
  reader: string,
  data: unknown,
  { column, channel }: Pick<MissingColumn, 'column' | 'channel'>,
): void {
  const columns = columnsWithout(column, data)
  if (columns === null) return
  const readers = new Set([reader])
  const { problem, help } = describeMissing({ column, channel, columns, readers })
  throw new LabError('LAB_FIGURE_INVALID', { problem, write: help })
}

// Plot's types do not declare this method of marks. It reads the columns of a mark, and takes one that does not exist as one without values.
const marks = ObservablePlot.Mark.prototype as unknown as InitializingMark
const initializeMark = marks.initialize
marks.initialize = function initialize(this: InitializingMark, facets, facetChannels, ...rest) {
  const rows = isDrawn(this) ? rowsOf(this.data) : null
  if (rows === null) return initializeMark.apply(this, [facets, facetChannels, ...rest])
  const read = (data: readonly Row[]): void => {
    const mark = Object.create(this, { data: { value: data } }) as InitializingMark
    // Plot sets the domains of these, so it gets a copy.
    const copy = mapChannels(facetChannels ?? {}, (channel) => ({ ...channel }))
    initializeMark.apply(mark, [[[0]], copy, ...rest])
  }
  const asked = withoutCalls(() => askFirstRow(rows, read))
  for (const channel of ['fx', 'fy'] as const)
    if (typeof this[channel] === 'string') asked.set(this[channel], 'column')
  note(this, { rows, asked, by: 'column' })
  const state = initializeMark.apply(this, [facets, facetChannels, ...rest])
  const flatBy = findFlat(state.channels)
  // A function of the notebook may read members that are optional. It is a mistake where nothing is drawn because of it.
  if (flatBy !== null) note(this, { rows, asked: askFirstRow(rows, read), by: 'function' })
  if (flatBy?.column != null) noteFlat(this, rows, { ...flatBy, column: flatBy.column })
  watchInitializer(this)
  return state
}

/** Axes, grids and tips have data of other marks. */
function isDrawn({ ariaLabel = '' }: InitializingMark): boolean {
  return !/axis|grid|^tip$|^crosshair/u.test(ariaLabel)
}

const watched = new WeakSet<InitializingMark>()

/** Some transforms, such as `hexbin`, read columns later, when scales are known. */
function watchInitializer(mark: InitializingMark): void {
  const { initializer } = mark
  if (initializer == null || watched.has(mark)) return
  watched.add(mark)
  mark.initializer = function watchedInitializer(data, facets, channels, ...rest) {
    const rows = rowsOf(data)
    if (rows !== null) {
      const first = mapChannels(channels, firstOf)
      const asked = withoutCalls(() =>
        askFirstRow(rows, (row) => {
          initializer.apply(this, [row, [[0]], first, ...rest])
        }),
      )
      note(mark, { rows, asked, by: 'column' })
    }
    return initializer.apply(this, [data, facets, channels, ...rest])
  }
}

function mapChannels(channels: Channels, change: (channel: Channel) => Channel): Channels {
  return Object.fromEntries(
    Object.entries(channels).map(([name, channel]) => [name, change(channel)]),
  )
}

function firstOf(channel: Channel): Channel {
  const { value } = channel
  const isList = Array.isArray(value) || ArrayBuffer.isView(value)
  return isList && 'slice' in value ? { ...channel, value: value.slice(0, 1) } : channel
}

/** What was asked of the rows of a mark, and by whom it is to be noted. */
interface Asking {
  readonly rows: readonly Row[]
  readonly asked: Asked
  readonly by: 'column' | 'function'
}

/** Note the columns that a mark reads and no row has. */
function note(mark: InitializingMark, { rows, asked, by }: Asking): void {
  for (const [column, reader] of asked) {
    if (reader !== by) continue
    const channel = channelOf(mark, column)
    if (noteMissing(mark.ariaLabel ?? 'mark', rows, { column, channel })) found.add(mark)
  }
}

function channelOf(mark: InitializingMark, column: string): string | null {
  const inChannels = Object.entries(mark.channels).find(([, { value }]) => value === column)
  if (inChannels !== undefined) return inChannels[0]
  return (['fx', 'fy'] as const).find((name) => mark[name] === column) ?? null
}

/** What all bars of a mark lack, and the column that they read. */
interface Flat<Column> {
  readonly column: Column
  readonly lacking: 'length' | 'height'
}

/** Return what all bars of a mark lack; null when one has it, or the mark has no bars. */
function findFlat(channels: Channels): Flat<string | null | undefined> | null {
  for (const [lacking, low, high] of [
    ['length', channels['x1'], channels['x2']],
    ['height', channels['y1'], channels['y2']],
  ] as const) {
    const [lows, highs] = [low?.value, high?.value]
    // Only sums, which Plot makes for bars and areas, are of this kind. A sum of nothing is 0.
    if (!(lows instanceof Float64Array && highs instanceof Float64Array)) continue
    if (highs.length > 0 && highs.every((end, at) => end === lows[at]))
      return { column: high?.label, lacking }
  }
  return null
}

/** Note a column without any number. A column of zeros is right. */
function noteFlat(
  mark: InitializingMark,
  rows: readonly Row[],
  { column, lacking }: Flat<string>,
): void {
  const values = rows.filter((row) => isRow(row) && hasColumn(row, column))
  if (values.length === 0 || values.some((row) => isNumeric(row[column]))) return
  const lacks = `${mark.ariaLabel ?? 'mark'} has a ${lacking}`
  flat.set(column, (flat.get(column) ?? new Set()).add(lacks))
  found.add(mark)
}

function isNumeric(value: unknown): boolean {
  return value != null && value !== '' && !Number.isNaN(Number(value))
}
