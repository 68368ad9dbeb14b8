import { inspect } from 'node:util'
import { LabError, sliceScope } from '@community-lab/contract'
import { checkArgument, words } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { escapeHtml, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import type { WaitOptions } from '../sliver/started.ts'
import { runInside, type Sliver } from '../sliver/sliver.ts'
import { quote } from '../ssh/quote.ts'
import { collectResults, type CommandResults } from '../ssh/result.ts'
import { call, callEach, cleanUp } from '../wait/call.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { anySignal, orAborted, timeoutSignal } from '../wait/signal.ts'
import { SampleDatabase, writeDataset, type WrittenTable } from './database.ts'
import { RunEnd, type RunPart } from './end.ts'
import { collectOutcomes, nameSilent, type Outcomes } from './outcome.ts'
import { cancelCommand, runFolder } from './program.ts'
import { createProgress, showTrouble } from './progress.ts'
import { readRows, rowStream, type RowStream } from './row-stream.ts'
import type { DeclaredColumns } from './sample-tables.ts'
import { defaultPatience, watchSilence, type Patience, type Silences } from './silence.ts'
import type { Row, SqlValue } from './value.ts'

/** What a run is made of. */
export interface RunParts {
  readonly id: string
  readonly slice: { readonly id: number; readonly name: string }
  readonly parts: readonly RunPart[]
  /** How long it takes by itself, in milliseconds; null: unknown. */
  readonly expectedMs: number | null
  /** The tables that it is known to make, and their columns. */
  readonly tables?: Readonly<Record<string, DeclaredColumns>> | undefined
  readonly patience?: Patience
}

const concurrency = 64
const commandTimeoutMs = 30_000
/** Beyond a measurement's own time: for its last samples to land. */
const landingMs = 60_000

/** The rows of a measurement: those of a table that is known to be made, or any others. */
export type RowsOf<Tables extends object, Name extends string> = Name extends keyof Tables
  ? Extract<Tables[Name], object>
  : Row

/** A program that runs on slivers by itself, and the samples it makes. `Tables`: what a row is of those tables that are known. */
export class Run<Tables extends object = object> {
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
    this.slivers = parts.parts.map(({ sliver }) => sliver)
    this.#session = session
    this.#parts = parts
    const scope = sliceScope(parts.slice.id)
    // A minute earlier: nodes' clocks may be behind this machine's.
    const from = new Date(this.startedAt.getTime() - 60_000)
    const tables = parts.tables === undefined ? {} : { tables: parts.tables }
    this.#database = new SampleDatabase(session, { scope, run: parts.id, from, ...tables })
    this.#end = new RunEnd(session, { scope, run: parts.id, parts: parts.parts })
  }

  /**
   * Wait until its program has ended on every sliver and all its samples are at the server, and show meanwhile what is waited for. `timeoutMs` bounds that;
   * Infinity: no bound. Without it a measurement is waited for a minute longer than it takes, and any other run for as long as one of its slivers can still
   * tell of an end: until each of the others has been silent for a minute, since its node is off or its sliver was stopped. Slivers that were removed or started
   * again, as they are when somebody else releases the slice, are never waited for. It returns what is known then: for each sliver how many of its lines were rejected or dropped, and for a silent one that its part is unfinished, and why. Such troubles are
   * also shown in the notebook. It can be called again: what a node measured while it could not be reached comes later.
   */
  done(options: WaitOptions = {}): Promise<Outcomes> {
    return this.#call(options, (signal) => this.#wait(options.timeoutMs, signal))
  }

  /**
   * The rows of one of its measurements, from the first on, as they land. Ends with the run. Where slivers are removed or started again before the run has ended,
   * it gives all rows that have landed, and then throws LAB_RUN_CUT_OFF.
   */
  rows<Name extends string>(
    name: Name,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): RowStream<RowsOf<Tables, Name>> {
    checkArgument('the measurement', name, words)
    const options = { lab: this.#session.signal, signal }
    const absent = Object.keys(this.#parts.tables?.[name] ?? {}).map((column) => [column, null])
    const nothing = Object.fromEntries(absent) as Row
    const read = (until: AbortSignal): AsyncGenerator<Row, void, undefined> =>
      this.#readRows(name, until)
    return rowStream(() =>
      callEach(options, async function* (until) {
        // What a table's rows are is known by who made its program; columns that no sample has had yet are null.
        for await (const row of read(until))
          yield { ...row, ...pickAbsent(nothing, row) } as RowsOf<Tables, Name>
      }),
    )
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
    const ended = this.slivers.flatMap(({ id: sliver, node }) => {
      const end = this.#end.of(sliver)
      return end === null ? [] : [{ sliver, node, exitCode: end.exitCode }]
    })
    return writeDataset(this.#database, folder, {
      run: this.id,
      slice: this.#parts.slice.name,
      nodes: this.slivers.map(({ node }) => node),
      started_on: this.startedAt.toISOString(),
      ended,
    })
  }

  /** Close its database, which frees memory. The run itself goes on, and a later query fetches its samples again. */
  close(): Promise<void> {
    return this.#database.close()
  }

  /** What its program has printed on each sliver until now, stdout and stderr together. */
  output(options: { readonly signal?: AbortSignal } = {}): Promise<CommandResults> {
    const command = `cat ${quote(`${runFolder(this.id)}/output`)}`
    return this.#call(options, (signal) => this.#onAll(command, signal))
  }

  /**
   * End its program on every sliver: SIGTERM, and SIGKILL two seconds later. A run that has ended already stays as it is. It is done from an interrupted cell too, so
   * that it can stand in `finally`.
   */
  cancel({ signal: own }: { readonly signal?: AbortSignal } = {}): Promise<CommandResults> {
    const options = { lab: this.#session.signal, signal: own }
    return cleanUp(options, (signal) => this.#onAll(cancelCommand(runFolder(this.id)), signal))
  }

  async #wait(timeoutMs: number | undefined, caller: AbortSignal): Promise<Outcomes> {
    const { expectedMs, parts } = this.#parts
    const boundMs = timeoutMs ?? (expectedMs === null ? null : expectedMs + landingMs)
    const timeout = timeoutSignal(boundMs ?? Infinity)
    const start = performance.now()
    const progress = createProgress(this.id, parts)
    const stop = new AbortController()
    const until = anySignal(caller, timeout ?? undefined, stop.signal)
    let silences: Silences = new Map()
    const tell = (found: Silences): void => {
      silences = found
      progress.tell(this.#waiting(), found)
    }
    // A wait that has a bound waits until then for nodes that are off.
    const silent = this.#watchSilence({ waitsForNodes: boundMs !== null, tell, signal: until })
    // When `until` is aborted, so is the wait, which tells of it.
    silent.catch(() => undefined)
    try {
      await orAborted(Promise.race([this.#end.wait(), silent]), until)
    } catch (error) {
      if (caller.aborted || timeout?.aborted !== true) throw error
    } finally {
      stop.abort()
    }
    progress.end(this.#waiting(), silences)
    const passedMs = Math.round(performance.now() - start)
    const waitedMs = timeout?.aborted === true ? (boundMs ?? passedMs) : passedMs
    const known = { end: this.#end, database: this.#database, silences, waitedMs }
    const outcomes = await orAborted(collectOutcomes({ run: this.id, parts, ...known }), caller)
    showTrouble(this.id, outcomes)
    return outcomes
  }

  /** The parts that are not known to have ended. */
  #waiting(): readonly RunPart[] {
    return this.#parts.parts.filter(({ sliver }) => this.#end.of(sliver.id) === null)
  }

  /** Settles when no part that is waited for can report its end any more; see {@link watchSilence}. */
  #watchSilence({ waitsForNodes, tell, signal }: SilenceWatch): Promise<void> {
    const { slice, patience = defaultPatience } = this.#parts
    return watchSilence(this.#session, {
      sliceId: slice.id,
      waiting: () => this.#waiting(),
      tell,
      patience: waitsForNodes ? { ...patience, silentMs: Infinity } : patience,
      signal,
    })
  }

  async #onAll(command: string, signal: AbortSignal): Promise<CommandResults> {
    const options = { timeoutMs: commandTimeoutMs, signal }
    return collectResults(
      await mapBounded(this.slivers, concurrency, (sliver) => runInside(sliver, command, options)),
    )
  }

  #call<T>(
    { signal }: { readonly signal?: AbortSignal },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  async *#readRows(name: string, caller: AbortSignal): AsyncGenerator<Row, void, undefined> {
    const scope = sliceScope(this.#parts.slice.id)
    const ended = new AbortController()
    const signal = anySignal(caller, ended.signal)
    let silences: Silences = new Map()
    const tell = (found: Silences): void => void (silences = found)
    const cutOff = this.#watchSilence({ waitsForNodes: true, tell, signal })
    Promise.race([this.#end.wait(), cutOff]).then(
      () => ended.abort(),
      // The stream of rows meets the same trouble, and tells of it.
      () => undefined,
    )
    let last = 0
    try {
      for await (const { rows, landed } of readRows(this.#session, {
        scope,
        name,
        run: this.id,
        signal,
      })) {
        last = landed
        yield* rows
      }
    } catch (error) {
      if (caller.aborted || !ended.signal.aborted) throw error
    } finally {
      ended.abort()
    }
    // The end may have been heard of before the last rows were.
    yield* await this.#database.rowsAfter(name, last)
    const where = this.#waiting().map(({ sliver }) =>
      nameSilent(sliver.node, silences.get(sliver.id)?.reason),
    )
    if (where.length > 0) throw new LabError('LAB_RUN_CUT_OFF', { run: this.id, where })
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

interface SilenceWatch {
  /** Whether parts of nodes that are off are waited for without an end: they may come back. */
  readonly waitsForNodes: boolean
  /** Called with the silent parts after each look. */
  tell(silences: Silences): void
  readonly signal: AbortSignal
}

/** The members that a row lacks. */
function pickAbsent(nothing: Row, row: Row): Row {
  return Object.fromEntries(Object.entries(nothing).filter(([name]) => !(name in row)))
}
