import { createQueue, droppedMeasurement, messageOf } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { measurementKey, nodeScope, tableOf } from '../domain/name.ts'
import { rejectSample } from '../domain/placement.ts'
import { createQuotaBook } from '../domain/quota.ts'
import { listColumns, uncountedFields, columnTypes } from '../domain/layout.ts'
import { appendRows, rowsOf } from './append.ts'
import { countFields, loadCatalog, type Catalog, type StoredTable } from './catalog.ts'
import { type CommitPlan, planCommit, type PlannedPart } from './commit.ts'
import { planDeclaration } from './declare.ts'
import { isOfEngine } from './failure.ts'
import type { AppendOutcome, DeclareRequest, SpoolStart, StoreSettings } from './protocol.ts'
import { divisible, isBlock, type ReadRequest } from './request.ts'
import { widen } from './survey.ts'

/** The only writer of the store. */
export interface Ingest {
  readonly catalog: Catalog
  /** Return the last committed record of a spool; see {@link StoreCalls.begin}. */
  begin(start: SpoolStart): Promise<number>
  /** Commit samples, together with those of all calls that come at the same moment. */
  append(request: ReadRequest): Promise<AppendOutcome>
  /** Use the writing connection between two commits. The catalog is that of the file then. */
  exclusive<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>
  /** Make the tables of declared measurements; see {@link StoreCalls.declare}. */
  declare(request: DeclareRequest): Promise<string | null>
  /** Commit the waiting samples, and accept no others. */
  close(): Promise<void>
}

/** Options of {@link openIngest}. */
export interface IngestOptions {
  readonly connection: DuckDBConnection
  readonly settings: StoreSettings
  /** Return the rows of a table in SQL, those of sealed files included. Default: those of the database. */
  readonly relation?: (table: StoredTable) => string
  /** Called when {@link relation} could not be read: leave its damaged sealed files out from then on. Returns false when there are none. */
  readonly omitDamaged?: (table: StoredTable) => Promise<boolean>
  /** Called after each commit with the measurements that have new rows. */
  onLanded(measurements: readonly string[]): void
}

interface Waiting {
  readonly request: ReadRequest
  resolve(outcome: AppendOutcome): void
  reject(error: unknown): void
}

/** Open the writer. It groups samples into commits, one transaction at a time. */
export async function openIngest({
  connection,
  settings,
  relation = tableOf,
  omitDamaged = () => Promise.resolve(false),
  onLanded,
}: IngestOptions): Promise<Ingest> {
  const { spoolsPerNode } = settings.bounds
  let catalog = await loadCatalog(connection, spoolsPerNode)
  const quotas = createQuotaBook(settings.quota)
  let waiting: Waiting[] = []
  // The uses of the writing connection run one after the other.
  const enqueue = createQueue()
  let closed = false
  // After a failed commit the catalog is ahead of the file, and no answer may be derived from it.
  let isStale = false

  async function refresh(): Promise<void> {
    if (!isStale) return
    catalog = await loadCatalog(connection, spoolsPerNode)
    isStale = false
  }

  async function commit(requests: readonly ReadRequest[]): Promise<readonly AppendOutcome[]> {
    await refresh()
    let plan: CommitPlan
    let isStored = false
    try {
      await countUncounted(requests)
      // Planning already changes the catalog, so a plan that fails leaves the catalog stale, too.
      plan = planCommit(catalog, requests, { bounds: settings.bounds, quotas })
      if (plan.notes.length === 0) return plan.outcomes
      await connection.run('begin')
      for (const statement of plan.definitions) await connection.run(statement)
      for (const [table, rows] of plan.rows) await appendRows(connection, table, rows)
      for (const statement of plan.notes) await connection.run(statement)
      await connection.run('commit')
      isStored = true
    } catch (error) {
      isStale = true
      await rollBack()
      throw error
    } finally {
      quotas.settle(isStored)
    }
    for (const [table, rows] of plan.rows) noteCommitted(table, rows)
    catalog.committedLanded = catalog.landed
    onLanded([...plan.rows.keys()].map(({ scope, name }) => measurementKey(scope, name)))
    return plan.outcomes
  }

  /** Count the values of a field that was read from the file, when the first value of another kind than its first kind comes. */
  async function countUncounted(requests: readonly ReadRequest[]): Promise<void> {
    const wanted = new Map<StoredTable, Set<string>>()
    const want = (table: StoredTable, field: string): void =>
      void wanted.set(table, (wanted.get(table) ?? new Set()).add(field))
    for (const { parts } of requests)
      for (const part of parts)
        if (isBlock(part))
          for (const section of part.sections ?? []) {
            const { owner, name, fields } = section.shape
            const table = catalog.tables.get(measurementKey(owner?.scope ?? '', name))
            for (const [field, kind] of fields) {
              const known = table?.fields.get(field)
              if (table !== undefined && known?.isCounted === false && kind !== known.first)
                want(table, field)
            }
          }
        else {
          const table = catalog.tables.get(measurementKey(part.scope, part.name))
          if (table === undefined) continue
          for (const field of uncountedFields(part.fields, table.fields)) want(table, field)
        }
    for (const [table, names] of wanted) {
      const count = () => countFields(connection, table, { names, source: relation(table) })
      try {
        await count()
      } catch (error) {
        // The samples have nothing to do with it, and must not be refused, nor tried for ever.
        if (!(await omitDamaged(table))) throw error
        await count()
      }
    }
  }

  async function rollBack(): Promise<void> {
    try {
      await connection.run('rollback')
    } catch {
      // A failed commit has ended the transaction by itself. The catalog is read again and tells what is stored.
    }
  }

  async function commitWaiting(): Promise<void> {
    const batch = waiting
    waiting = []
    try {
      await commitTogether(batch)
    } catch (error) {
      if (isOfEngine(error)) for (const { reject } of batch) reject(error)
      // Samples of one stream must not delay those of others.
      else
        for (const { request, resolve, reject } of batch)
          await commitApart(request).then(resolve, reject)
    }
  }

  /**
   * Commit as many samples of a request as possible. When they cannot be committed together, each half is tried separately. A single sample that cannot be
   * committed becomes a row of `rejected`. When DuckDB itself has failed, nothing more is tried, and the node sends the samples again.
   */
  async function commitApart(given: ReadRequest): Promise<AppendOutcome> {
    const request = divisible(given)
    const { parts } = request
    const middle = Math.ceil(parts.length / 2)
    try {
      return await commitOne(request)
    } catch (error) {
      const [first] = parts
      if (first === undefined || isBlock(first) || isOfEngine(error)) throw error
      if (parts.length === 1) {
        const reason = `it cannot be stored: ${messageOf(error)}`
        return commitOne({ ...request, parts: [rejectSample(first, reason)] })
      }
    }
    await commitApart({ ...request, parts: parts.slice(0, middle) })
    return commitApart({ ...request, parts: parts.slice(middle) })
  }

  async function commitTogether(batch: readonly Waiting[]): Promise<void> {
    const outcomes = await commit(batch.map(({ request }) => request))
    for (const [index, outcome] of outcomes.entries()) batch[index]?.resolve(outcome)
  }

  async function commitOne(request: ReadRequest): Promise<AppendOutcome> {
    const [outcome] = await commit([request])
    if (outcome === undefined) throw new Error('the commit told nothing of its only request')
    return outcome
  }

  return {
    get catalog() {
      return catalog
    },
    begin(start) {
      return enqueue(async () => {
        await refresh()
        const committedSeq = catalog.spools.committedSeq(start)
        const missing = start.firstSeq - 1 - committedSeq
        if (missing <= 0) return committedSeq
        // The node no longer has these records, so they will never come. A row of `dropped` tells how many are lost, and the spool goes on.
        catalog.spools.note(start, start.firstSeq - 2)
        const outcome = await commitOne({ ...start, parts: [tellLoss(start, missing)] })
        return outcome.committedSeq
      })
    },
    append(request) {
      if (closed) return Promise.reject(new Error('the store is closing'))
      return new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject })
        // Requests that come during a commit are committed together after it.
        if (waiting.length === 1) void enqueue(commitWaiting)
      })
    },
    exclusive(work) {
      return enqueue(async () => {
        await refresh()
        return work(connection)
      })
    },
    declare(request) {
      return enqueue(async () => {
        await refresh()
        const plan = planDeclaration(catalog, request, settings.bounds)
        if ('reason' in plan) return plan.reason
        try {
          await connection.run('begin')
          for (const statement of plan.definitions) await connection.run(statement)
          await connection.run('commit')
        } catch (error) {
          isStale = true
          await rollBack()
          throw error
        }
        for (const table of plan.tables) noteCommitted(table, [])
        return null
      })
    },
    async close() {
      closed = true
      await enqueue(commitWaiting)
    },
  }
}

function noteCommitted(table: StoredTable, parts: readonly PlannedPart[]): void {
  table.committed = new Map(
    listColumns(table.fields).map(({ column, kind }) => [column, columnTypes[kind]]),
  )
  const { extent } = table
  if (extent === null) return
  for (const part of parts) {
    extent.rows += rowsOf(part)
    if ('section' in part) {
      widen(extent, part.firstUs)
      widen(extent, part.lastUs)
    } else widen(extent, part.sample.timeUs)
  }
}

function tellLoss({ firstSeq }: SpoolStart, lines: number) {
  return {
    seq: firstSeq - 1,
    timeUs: Date.now() * 1000,
    scope: nodeScope,
    name: droppedMeasurement,
    sliver: null,
    fields: { lines, reason: 'the server has not got them and the node has them no longer' },
  }
}
