import { inspect } from 'node:util'
import { LabError, sliceScope } from '@community-lab/contract'
import { checkArgument, checkOptions, checkSignal, localFile, words } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { escapeHtml, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { waitKinds, type WaitOptions } from '../sliver/started.ts'
import { runInside, type Sliver } from '../sliver/sliver.ts'
import { quote } from '../ssh/quote.ts'
import { collectResults, type CommandResults } from '../ssh/result.ts'
import { call, callEach, cleanUp } from '../wait/call.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { anySignal, orAborted, timeoutSignal } from '../wait/signal.ts'
import {
  checkParquet,
  exportArgument,
  SampleDatabase,
  writeDataset,
  type WrittenTable,
} from './database.ts'
import { RunEnd, type RunPart } from './end.ts'
import { collectOutcomes, nameSilent, type Outcomes } from './outcome.ts'
import { cancelCommand, runFolder } from './program.ts'
import { createProgress, showProblems } from './progress.ts'
import { readRows, rowStream, type RowStream } from './row-stream.ts'
import type { DeclaredColumns } from './sample-tables.ts'
import { defaultPatience, watchSilence, type Patience, type Silences } from './silence.ts'
import type { Row, SqlValue } from './value.ts'

/** What is known of a {@link Run} when it has been started. */
export interface RunFacts {
  readonly id: string
  readonly slice: { readonly id: number; readonly name: string }
  readonly parts: readonly RunPart[]
  /** How long the program runs by itself, in milliseconds; null: not known. */
  readonly expectedMs: number | null
  /** The tables that the program is known to make, with their columns. */
  readonly tables?: Readonly<Record<string, DeclaredColumns>> | undefined
  readonly patience?: Patience
}

const concurrency = 64
const commandTimeoutMs = 30_000
/** Time for the last samples to land, in addition to the duration of a measurement. */
const landingMs = 60_000

/** The type of a measurement's rows: that of a known table, or any row. */
export type RowsOf<Tables extends object, Name extends string> = Name extends keyof Tables
  ? Extract<Tables[Name], object>
  : Row

/**
 * A program that this kernel has started on slivers over SSH, and its samples. Only this kernel knows the run: its handle is gone with the kernel, and `lab.runs` does not have it. For a run
 * that any kernel gets, see `TestbedRun`. `Tables`: the types of the rows of known tables.
 */
export class Run<Tables extends object = object> {
  /** The unique id of the run: the column `run` of its samples, and COMMUNITY_LAB_RUN in its programs. */
  readonly id: string
  readonly startedAt = new Date()
  readonly slivers: readonly Sliver[]
  readonly #session: Session
  readonly #facts: RunFacts
  readonly #database: SampleDatabase
  readonly #end: RunEnd

  constructor(session: Session, facts: RunFacts) {
    this.id = facts.id
    this.slivers = facts.parts.map(({ sliver }) => sliver)
    this.#session = session
    this.#facts = facts
    const scope = sliceScope(facts.slice.id)
    // One minute earlier, because a node's clock may be behind the clock of this machine.
    const from = new Date(this.startedAt.getTime() - 60_000)
    const tables = facts.tables === undefined ? {} : { tables: facts.tables }
    this.#database = new SampleDatabase(session, { scope, run: facts.id, from, ...tables })
    this.#end = new RunEnd(session, { scope, run: facts.id, parts: facts.parts })
  }

  /**
   * Wait until the program has ended on every sliver and all samples are at the server, and show what is waited for. `timeoutMs` limits the wait; Infinity: no
   * limit. Without it, a measurement is waited for one minute longer than it takes. Any other run is waited for while one of its slivers can still report its
   * end: the wait ends when each of the others has been silent for a minute because its node is off or its sliver was stopped. A sliver that was removed or
   * started again, as when somebody else releases the slice, is not waited for.
   *
   * Returns the outcome of each sliver: how many of its lines were rejected or dropped; and for a silent sliver that its part is unfinished, and why. The
   * notebook also shows these problems. It can be called again, because samples of a node that could not be reached arrive later.
   */
  async done(options: WaitOptions = {}): Promise<Outcomes> {
    checkOptions('done', options, waitKinds)
    return this.#call(options, (signal) => this.#wait(options.timeoutMs, signal))
  }

  /**
   * The rows of one measurement, from the first on, as they land. Ends with the run. If a sliver is removed or started again before the run has ended, it
   * throws LAB_RUN_CUT_OFF after all rows that have landed.
   */
  rows<Name extends string>(
    name: Name,
    given: { readonly signal?: AbortSignal } = {},
  ): RowStream<RowsOf<Tables, Name>> {
    checkArgument('the measurement', name, words)
    checkSignal('rows', given)
    const options = { lab: this.#session.signal, signal: given.signal }
    const absent = Object.keys(this.#facts.tables?.[name] ?? {}).map((column) => [column, null])
    const nothing = Object.fromEntries(absent) as Row
    const read = (until: AbortSignal): AsyncGenerator<Row, void, undefined> =>
      this.#readRows(name, until)
    return rowStream(() =>
      callEach(options, async function* (until) {
        // The author of the program knows the rows of its tables. Columns that no sample has had yet are null.
        for await (const row of read(until))
          yield { ...row, ...pickAbsent(nothing, row) } as RowsOf<Tables, Name>
      }),
    )
  }

  /**
   * Run a query in the run's database (DuckDB), which has a table for each measurement with the samples of this run that have landed. Values become parameters,
   * never part of the text: `` where peer in (${peers}) and time > now() - interval ${5} minutes ``. Times have a zone. Days and hours are those of UTC unless
   * the query says otherwise. `Row` lists the JavaScript types of columns. Name them to have them checked: `` run.sql<{ rtt_s: number }>`…` ``.
   *
   * @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_INVALID, LAB_SQL_UNREADABLE, LAB_ARGUMENT_INVALID.
   */
  sql<T extends object = Row>(
    strings: TemplateStringsArray,
    ...values: readonly SqlValue[]
  ): Promise<Shown<T>> {
    return this.#database.query<T>(strings, values)
  }

  /** Write the samples of one measurement to a Parquet file. @throws {@link LabError} LAB_SQL_FAILED when there is no such measurement; LAB_ARGUMENT_INVALID. */
  async parquet(name: string, file: string): Promise<WrittenTable> {
    checkParquet(name, file)
    return this.#database.writeParquet(name, file)
  }

  /** Write all samples into a folder: a Parquet file for each measurement, and `manifest.json`, which describes them. */
  async export(folder: string): Promise<Shown<WrittenTable>> {
    checkArgument(exportArgument, folder, localFile)
    const ended = this.slivers.flatMap(({ id: sliver, node }) => {
      const end = this.#end.of(sliver)
      return end === null ? [] : [{ sliver, node, exitCode: end.exitCode }]
    })
    return writeDataset(this.#database, folder, {
      run: this.id,
      slice: this.#facts.slice.name,
      nodes: this.slivers.map(({ node }) => node),
      started_on: this.startedAt.toISOString(),
      ended,
    })
  }

  /** Close the run's database, which frees memory. The run goes on, and a later query fetches its samples again. */
  close(): Promise<void> {
    return this.#database.close()
  }

  /** The output of the program on each sliver so far, stdout and stderr together. */
  async output(options: { readonly signal?: AbortSignal } = {}): Promise<CommandResults> {
    checkSignal('output', options)
    const command = `cat ${quote(`${runFolder(this.id)}/output`)}`
    return this.#call(options, (signal) => this.#onAll(command, signal))
  }

  /**
   * End the program on every sliver: SIGTERM, and SIGKILL two seconds later. Does nothing to a run that has ended. It also works in an interrupted cell, so it
   * can be used in `finally`.
   */
  async cancel(given: { readonly signal?: AbortSignal } = {}): Promise<CommandResults> {
    checkSignal('cancel', given)
    const options = { lab: this.#session.signal, signal: given.signal }
    return cleanUp(options, (signal) => this.#onAll(cancelCommand(runFolder(this.id)), signal))
  }

  async #wait(timeoutMs: number | undefined, caller: AbortSignal): Promise<Outcomes> {
    const { expectedMs, parts } = this.#facts
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
    // A wait with a time limit waits that long for nodes that are off.
    const silent = this.#watchSilence({ waitsForNodes: boundMs !== null, tell, signal: until })
    // When `until` is aborted, this promise rejects too. The wait reports the reason.
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
    showProblems(this.id, outcomes)
    return outcomes
  }

  /** Return the parts whose end is not known. */
  #waiting(): readonly RunPart[] {
    return this.#facts.parts.filter(({ sliver }) => this.#end.of(sliver.id) === null)
  }

  /** Resolves when no part that is waited for can report its end any more; see {@link watchSilence}. */
  #watchSilence({ waitsForNodes, tell, signal }: SilenceWatch): Promise<void> {
    const { slice, patience = defaultPatience } = this.#facts
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
    const scope = sliceScope(this.#facts.slice.id)
    const ended = new AbortController()
    const signal = anySignal(caller, ended.signal)
    let silences: Silences = new Map()
    const tell = (found: Silences): void => void (silences = found)
    const cutOff = this.#watchSilence({ waitsForNodes: true, tell, signal })
    Promise.race([this.#end.wait(), cutOff]).then(
      () => ended.abort(),
      // The stream of rows fails in the same way and reports the error.
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
    // The end may have arrived before the last rows.
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
  /** Whether to wait without an end for parts on nodes that are off, because these may come back. */
  readonly waitsForNodes: boolean
  /** Called with the silent parts after each check. */
  tell(silences: Silences): void
  readonly signal: AbortSignal
}

/** Return the members that a row lacks. */
function pickAbsent(nothing: Row, row: Row): Row {
  return Object.fromEntries(Object.entries(nothing).filter(([name]) => !(name in row)))
}
