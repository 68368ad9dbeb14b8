import { inspect } from 'node:util'
import { LabError, sliceScope } from '@community-lab/contract'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { asTable, escapeHtml, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import type { WaitOptions } from '../sliver/started.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { collectResults, type CommandResults } from '../ssh/result.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { joinSignals, orAborted } from '../wait/signal.ts'
import { SampleDatabase, writeDataset, type WrittenTable } from './database.ts'
import { RunEnd, type Outcome } from './end.ts'
import { cancelCommand, runFolder } from './program.ts'
import { readRows, rowStream, type RowStream } from './row-stream.ts'
import type { Row, SqlValue } from './value.ts'

/** What a run is made of. */
export interface RunParts {
  readonly id: string
  readonly slice: { readonly id: number; readonly name: string }
  readonly slivers: readonly Sliver[]
  /** How long it takes by itself, in milliseconds; null: unknown. */
  readonly expectedMs: number | null
}

/** How every sliver's part of a run ended, as a table. */
export type Outcomes = Shown<Outcome> & { readonly ok: boolean }

const concurrency = 64
/** Beyond a measurement's own time: for its last samples to land. */
const landingMs = 60_000

/** A program that runs on slivers by itself, and the samples it makes. */
export class Run {
  /** Unique; what its samples have in their column `run`, and its programs in COMMUNITY_LAB_RUN. */
  readonly id: string
  readonly startedAt = new Date()
  readonly slivers: readonly Sliver[]
  readonly #session: Session
  readonly #parts: RunParts
  readonly #database: SampleDatabase
  readonly #end: RunEnd

  constructor(session: Session, parts: RunParts) {
    this.id = parts.id
    this.slivers = parts.slivers
    this.#session = session
    this.#parts = parts
    const scope = sliceScope(parts.slice.id)
    // A minute earlier: nodes' clocks may be behind this machine's.
    const from = new Date(this.startedAt.getTime() - 60_000)
    this.#database = new SampleDatabase(session, { scope, run: parts.id, from })
    this.#end = new RunEnd(session, { scope, run: parts.id, slivers: parts.slivers })
  }

  /**
   * Wait until its program has ended on every sliver and all its samples are at the server. Without `timeoutMs` a measurement is waited for a minute
   * longer than it takes, any other run without a limit.
   *
   * @throws {@link LabError} LAB_RUN_UNFINISHED naming the nodes that are still at it.
   */
  async done({ timeoutMs, signal }: WaitOptions = {}): Promise<Outcomes> {
    const { expectedMs } = this.#parts
    const waitedMs = timeoutMs ?? (expectedMs === null ? null : expectedMs + landingMs)
    const caller = joinSignals(signal, this.#session.signal)
    const timeout = waitedMs === null ? null : AbortSignal.timeout(waitedMs)
    try {
      await orAborted(
        this.#end.wait(),
        timeout === null ? caller : AbortSignal.any([caller, timeout]),
      )
    } catch (error) {
      if (caller.aborted || timeout?.aborted !== true) throw error
      const waiting = this.#end.waiting().map(({ node }) => node)
      throw new LabError('LAB_RUN_UNFINISHED', { run: this.id, waiting, waitedMs: waitedMs ?? 0 })
    }
    const outcomes = this.#end.outcomes()
    const shown = asTable([...outcomes], () => [
      { name: 'node', value: ({ node }) => node },
      { name: 'exit', value: ({ exitCode }) => exitCode },
    ])
    const ok = outcomes.every(({ exitCode }) => exitCode === 0)
    Object.defineProperty(shown, 'ok', { value: ok })
    return shown as Outcomes
  }

  /** The rows of one of its measurements, from the first on, as they land. Ends with the run. */
  rows(name: string, { signal }: { readonly signal?: AbortSignal } = {}): RowStream {
    return rowStream(() => this.#readRows(name, signal))
  }

  /**
   * Ask its database (DuckDB): a table for each measurement, with the samples of this run that have landed by now. Values are parameters, never text of the
   * query: `` where peer in (${peers}) and time > now() - interval ${5} minutes ``. Times have a zone, and days and hours are those of UTC unless the query
   * says otherwise. `Row` tells which type a column has; name the types to have them checked: `` run.sql<{ rtt_s: number }>`…` ``.
   *
   * @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_INVALID, LAB_SQL_UNREADABLE, LAB_ARGUMENT_INVALID.
   */
  sql<T extends object = Row>(
    strings: TemplateStringsArray,
    ...values: readonly SqlValue[]
  ): Promise<Shown<T>> {
    return this.#database.query<T>(strings, values)
  }

  /** Write one measurement's samples of this run to a Parquet file. */
  parquet(name: string, file: string): Promise<WrittenTable> {
    return this.#database.writeParquet(name, file)
  }

  /** Write all its samples into a folder: a Parquet file for each measurement, and `manifest.json` that tells what they are. */
  export(folder: string): Promise<Shown<WrittenTable>> {
    const { slice, slivers } = this.#parts
    return writeDataset(this.#database, folder, {
      run: this.id,
      slice: slice.name,
      nodes: slivers.map(({ node }) => node),
      started_on: this.startedAt.toISOString(),
      ended: this.#end.outcomes(),
    })
  }

  /** Let go of its database and of the memory that takes. The run itself goes on, and a later query fetches its samples anew. */
  close(): Promise<void> {
    return this.#database.close()
  }

  /** What its program has printed on each sliver until now, stdout and stderr together. */
  output(): Promise<CommandResults> {
    return this.#onAll(['cat', `${runFolder(this.id)}/output`])
  }

  /** End its program on every sliver: SIGTERM, and SIGKILL two seconds later. A run that has ended already stays as it is. */
  cancel(): Promise<CommandResults> {
    return this.#onAll(cancelCommand(runFolder(this.id)))
  }

  async #onAll(command: string | readonly string[]): Promise<CommandResults> {
    const timeoutMs = 30_000
    return collectResults(
      await mapBounded(this.slivers, concurrency, (sliver) => sliver.exec(command, { timeoutMs })),
    )
  }

  async *#readRows(name: string, signal?: AbortSignal): AsyncGenerator<Row, void, undefined> {
    const scope = sliceScope(this.#parts.slice.id)
    const ended = new AbortController()
    const caller = joinSignals(signal, this.#session.signal)
    this.#end.wait().then(
      () => ended.abort(),
      // The stream of rows meets the same trouble, and tells of it.
      () => undefined,
    )
    const selection = { scope, name, run: this.id, signal: AbortSignal.any([caller, ended.signal]) }
    let last = 0
    try {
      for await (const { rows, landed } of readRows(this.#session, selection)) {
        last = landed
        yield* rows
      }
    } catch (error) {
      if (caller.aborted || !ended.signal.aborted) throw error
    }
    // The end may have been heard of before the last rows were.
    yield* await this.#database.rowsAfter(name, last)
  }

  [inspect.custom](): string {
    const waiting = this.#end.waiting().length
    return `Run ${this.id} on ${this.slivers.map(({ node }) => node).join(', ')}${waiting === 0 ? ' (ended)' : ''}`
  }

  [displaySymbol](): Bundle {
    const text = inspect(this)
    return { 'text/plain': text, 'text/html': `<code>${escapeHtml(text)}</code>` }
  }
}
