import {
  rejectedMeasurement,
  runEndMeasurement,
  type BlockMemory,
  type FieldKind,
  type Section,
} from '@community-lab/contract/samples'
import { declaredFields } from '../domain/declared.ts'
import {
  columnTypes,
  declareFields,
  firstColumns,
  fitFields,
  settleFields,
  type ColumnChange,
  type Fitted,
} from '../domain/layout.ts'
import { measurementKey, nodeScope, quoteIdentifier, quoteText, tableOf } from '../domain/name.ts'
import { rejectSample } from '../domain/placement.ts'
import type { QuotaBook } from '../domain/quota.ts'
import type { PlacedSample } from '../domain/sample.ts'
import { countSection, fitSection, type PlacedShape } from '../domain/section.ts'
import {
  addTable,
  countUndeclared,
  followTime,
  isUndeclared,
  type Catalog,
  type StoredTable,
} from './catalog.ts'
import type { AppendOutcome, SpoolId, StoreBounds } from './protocol.ts'
import {
  firstSeqOf,
  isBlock,
  lastSeqOf,
  placeBlock,
  placeSection,
  type ReadBlock,
  type ReadRequest,
} from './request.ts'

/** A row to append. */
export interface PlannedRow {
  readonly sample: PlacedSample
  readonly node: string
  readonly nodeId: number
  readonly spool: string
  readonly landed: number
  readonly fitted: Fitted
}

/** The rows of a section, which are written column by column. */
export interface PlannedBlock {
  readonly section: Section
  readonly memory: BlockMemory
  /** The kind as which each of its columns is stored. */
  readonly kinds: readonly FieldKind[]
  readonly node: string
  readonly nodeId: number
  readonly sliver: string | null
  readonly spool: string
  /** The number of the first sample of the section's block. */
  readonly firstSeq: number
  /** The number of the section's first row. */
  readonly landed: number
  readonly firstUs: number
  readonly lastUs: number
}

/** Rows to append. */
export type PlannedPart = PlannedRow | PlannedBlock

/** One transaction: its definitions, its rows, and its notes. */
export interface CommitPlan {
  /** The statements that create schemas, tables and columns, in order. */
  readonly definitions: readonly string[]
  readonly rows: ReadonlyMap<StoredTable, readonly PlannedPart[]>
  /** The statements that store the last record of each spool and of the store; empty when nothing is new. */
  readonly notes: readonly string[]
  /** The answer to each request after the commit. */
  readonly outcomes: readonly AppendOutcome[]
}

/** The rules for {@link planCommit}. */
export interface CommitRules {
  readonly bounds: StoreBounds
  readonly quotas: QuotaBook
}

/** Samples that were refused for the same reason, or parts of them. They are reported in one row of `rejected`. */
interface Refusal {
  /** The last refused sample. */
  sample: PlacedSample
  readonly reason: string
  lines: number
}

/**
 * Plan the commit of samples of several streams. Records that are committed already are skipped. At a gap, the rest of the request is left out. Samples
 * beyond the quota of a slice are counted in a row of `rejected`.
 *
 * The catalog is changed as if the commit had succeeded. Read it again when the commit fails.
 */
export function planCommit(
  catalog: Catalog,
  requests: readonly ReadRequest[],
  { bounds, quotas }: CommitRules,
): CommitPlan {
  followTime(catalog, Date.now())
  const definitions: string[] = []
  const rows = new Map<StoredTable, PlannedPart[]>()
  const moved = new Map<string, SpoolId>()
  const begunIn = new Set<StoredTable>()

  /** Plan a sample. Returns why a field has no column; null when all have one. */
  function plan(given: PlacedSample, { node, nodeId, spool }: ReadRequest): string | null {
    const { sample, table } = findTable(catalog, given, { bounds, definitions, nodeId })
    const begun = table.begunOf.get(nodeId) ?? 0
    const isOfNode = table.scope === nodeScope
    const maxBegun = isOfNode ? bounds.fieldsPerNode : bounds.sliceFieldsPerNode
    const fitted = fitFields(sample.fields, table.fields, {
      maxColumns: bounds.fieldsPerMeasurement,
      maxNew: maxBegun - begun,
    })
    definitions.push(...changeColumns(table, fitted.changes))
    const added = fitted.changes.filter((change) => change.do === 'add').length
    if (added > 0) {
      table.begunOf.set(nodeId, begun + added)
      begunIn.add(table)
    }
    const row: PlannedRow = { sample, node, nodeId, spool, landed: ++catalog.landed, fitted }
    addPart(table, row)
    if (fitted.withoutRoom === null || isOfNode) return null
    const most = `${bounds.fieldsPerMeasurement} columns at most, of which one node begins ${maxBegun}`
    return `${table.name} has ${most}; fields such as ${fitted.withoutRoom} are in its column overflow`
  }

  function addPart(table: StoredTable, part: PlannedPart): void {
    const planned = rows.get(table)
    if (planned === undefined) rows.set(table, [part])
    else planned.push(part)
  }

  /** Plan all samples of a section at once. Returns false, and plans none, when each has to be looked at. */
  function planSection(
    section: Section<PlacedShape>,
    { memory, firstSeq }: ReadBlock,
    { node, nodeId, spool }: ReadRequest,
  ): boolean {
    const { owner, name } = section.shape
    if (owner === null) return false
    const { scope, sliver } = owner
    const table = catalog.tables.get(measurementKey(scope, name))
    if (table === undefined || !table.isDeclared) return false
    const fit = fitSection(memory, section, table.fields)
    if (fit === null) return false
    const { kinds, firstUs, lastUs, characters } = fit
    const { rows: count } = section
    if (!quotas.admitAll({ scope, firstUs, lastUs, rows: count, characters })) return false
    countSection(memory, section, { fields: table.fields, kinds })
    const landed = catalog.landed + 1
    catalog.landed += count
    const place = { node, nodeId, sliver, spool, firstSeq, landed }
    addPart(table, { section, memory, kinds, firstUs, lastUs, ...place })
    return true
  }

  const outcomes = requests.map((request): AppendOutcome => {
    const { nodeId, spool } = request
    const refusals = new Map<string, Refusal>()
    let committedSeq = catalog.spools.committedSeq(request)
    let missingSeq: number | null = null
    const tellRefusals = (): void => {
      for (const { sample, reason, lines } of refusals.values())
        plan(rejectSample(sample, reason, lines), request)
      refusals.clear()
    }
    const take = (given: PlacedSample): void => {
      // What lands after the end of a run is not taken for its own.
      if (given.name === runEndMeasurement) tellRefusals()
      const excess = quotas.admit(given)
      if (excess !== null) noteRefusal(refusals, given, { about: excess, reason: excess })
      else {
        const reason = plan(given, request)
        if (reason !== null) noteRefusal(refusals, given, { about: given.name, reason })
      }
    }
    for (const part of request.parts) {
      const firstSeq = firstSeqOf(part)
      const lastSeq = lastSeqOf(part)
      if (lastSeq <= committedSeq) continue
      if (firstSeq > committedSeq + 1) {
        missingSeq = committedSeq + 1
        break
      }
      if (!isBlock(part)) take(part)
      else if (part.sections === null || firstSeq <= committedSeq)
        for (const given of placeBlock(part)) {
          if (given.seq > committedSeq) take(given)
        }
      else
        for (const section of part.sections) {
          if (section.shape.name === runEndMeasurement) tellRefusals()
          if (!planSection(section, part, request)) placeSection(part, section).forEach(take)
        }
      committedSeq = lastSeq
      catalog.spools.note(request, committedSeq)
      moved.set(`${nodeId}/${spool}`, { nodeId, spool })
    }
    tellRefusals()
    return { committedSeq, missingSeq }
  })
  for (const table of rows.keys())
    definitions.push(...changeColumns(table, settleFields(table.fields)))
  const notes = [...noteProgress(catalog, [...moved.values()]), ...noteBegun(begunIn)]
  return { definitions, rows, outcomes, notes }
}

/** Note that a sample, or a part of it, was refused. Refusals for the same cause become one row, with the first reason. */
function noteRefusal(
  refusals: Map<string, Refusal>,
  sample: PlacedSample,
  { about, reason }: { readonly about: string; readonly reason: string },
): void {
  const key = `${sample.sliver ?? ''} ${about}`
  const known = refusals.get(key) ?? { sample, reason, lines: 0 }
  refusals.set(key, known)
  known.sample = sample
  // A row of `rejected` may itself stand for several lines.
  const { lines } = sample.fields
  known.lines += sample.name === rejectedMeasurement && typeof lines === 'number' ? lines : 1
}

interface TableContext {
  readonly bounds: StoreBounds
  readonly definitions: string[]
  /** The node that sent the sample. */
  readonly nodeId: number
}

/** Find the table of a sample, or plan a new one. The sample becomes a row of `rejected` when its measurement would be beyond a bound. */
function findTable(
  catalog: Catalog,
  sample: PlacedSample,
  context: TableContext,
): { readonly sample: PlacedSample; readonly table: StoredTable } {
  const { definitions, nodeId } = context
  const { scope, name } = sample
  const found = catalog.tables.get(measurementKey(scope, name))
  if (found !== undefined) {
    if (!found.isDeclared) definitions.push(...declareColumns(found))
    return { sample, table: found }
  }
  const reason = findExcess(catalog, sample, context)
  if (reason !== null) return findTable(catalog, rejectSample(sample, reason), context)
  const table = planTable(catalog, sample, definitions)
  if (isUndeclared(scope, name)) countUndeclared(catalog, nodeId)
  definitions.push(...declareColumns(table))
  return { sample, table }
}

/** Plan a new table, without columns of fields. */
export function planTable(
  catalog: Catalog,
  { scope, name }: { readonly scope: string; readonly name: string },
  definitions: string[],
): StoredTable {
  const count = catalog.measurementsOf.get(scope) ?? 0
  if (count === 0) definitions.push(`create schema if not exists ${quoteIdentifier(scope)}`)
  const columns = firstColumns.map(([column]) => column)
  const typed = firstColumns.map(([column, type]) => `${quoteIdentifier(column)} ${type}`)
  definitions.push(`create table ${tableOf({ scope, name })} (${typed.join(', ')})`)
  const empty = { fields: new Map(), begunOf: new Map(), committed: null, extent: null }
  return addTable(catalog, { scope, name, columns, isDeclared: false, ...empty })
}

/** Say why a new measurement is beyond a bound; null when it is not. A declared measurement never is. */
function findExcess(
  catalog: Catalog,
  { scope, name }: PlacedSample,
  { bounds, nodeId }: TableContext,
): string | null {
  if (declaredFields(scope, name) !== null) return null
  if ((catalog.measurementsOf.get(scope) ?? 0) >= bounds.measurementsPerScope)
    return `${scope} has ${bounds.measurementsPerScope} measurements already`
  if (scope === nodeScope && (catalog.undeclaredOf.get(nodeId) ?? 0) >= bounds.undeclaredPerNode)
    return `node ${nodeId} has begun ${bounds.undeclaredPerNode} measurements of its own already`
  return null
}

/** Return the statements that give a table the columns of its declared fields. */
function declareColumns(table: StoredTable): string[] {
  table.isDeclared = true
  const declared = declaredFields(table.scope, table.name) ?? {}
  return changeColumns(table, declareFields(table.fields, declared))
}

/** Return the statements for changes of a table's columns, and update the columns of the table. */
export function changeColumns(table: StoredTable, changes: readonly ColumnChange[]): string[] {
  return changes.map((change) => {
    const column = quoteIdentifier(change.column)
    switch (change.do) {
      case 'add':
        table.columns.push(change.column)
        return `alter table ${tableOf(table)} add column ${column} ${change.type}`
      case 'rename':
        table.columns[table.columns.indexOf(change.column)] = change.to
        return `alter table ${tableOf(table)} rename column ${column} to ${quoteIdentifier(change.to)}`
      case 'widen':
        return `alter table ${tableOf(table)} alter column ${column} type ${columnTypes.integer}`
    }
  })
}

function noteProgress({ spools, landed }: Catalog, moved: readonly SpoolId[]): string[] {
  if (moved.length === 0) return []
  const values = moved.map(
    (of) => `(${of.nodeId}, ${quoteText(of.spool)}, ${spools.committedSeq(of)})`,
  )
  const forgotten = spools
    .takeForgotten()
    .map(({ nodeId, spool }) => `(${nodeId}, ${quoteText(spool)})`)
  return [
    `insert into main.spools values ${values.join(', ')}
     on conflict (node_id, spool) do update set committed_seq = excluded.committed_seq`,
    `update main.store set landed = ${landed}`,
    ...(forgotten.length === 0
      ? []
      : [`delete from main.spools where (node_id, spool) in (${forgotten.join(', ')})`]),
  ]
}

function noteBegun(tables: ReadonlySet<StoredTable>): string[] {
  return [...tables].flatMap(({ scope, name, begunOf }) =>
    [...begunOf].map(
      ([nodeId, columns]) =>
        `insert into main.begun_columns values (${quoteText(scope)}, ${quoteText(name)}, ${nodeId}, ${columns})
         on conflict (scope, name, node_id) do update set columns = excluded.columns`,
    ),
  )
}
