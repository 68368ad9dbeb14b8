import { inspect } from 'node:util'
import { LabError, type Point, type RowOf, type Run as RunObject } from '@community-lab/contract'
import {
  checkArgument,
  checkOptions,
  checkSignal,
  localFile,
  words,
  type Kind,
} from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import type { SliverOrNode } from '../sliver/slice-handle.ts'
import { Sliver } from '../sliver/sliver.ts'
import { nameOf } from '../sliver/slivers.ts'
import { waitKinds, type WaitOptions } from '../sliver/started.ts'
import { call, callEach, cleanUp } from '../wait/call.ts'
import { RunContext } from './context.ts'
import { checkLive, drawLive, type Draw, type LiveOptions } from './live.ts'
import {
  checkParquet,
  exportArgument,
  SampleDatabase,
  writeDataset,
  type WrittenTable,
} from './database.ts'
import { describeParts, outcomeColumns, type Outcome, type Outcomes } from './outcome.ts'
import { measurementName, onlyPoint, tablesOfPoints } from './point-tables.ts'
import { rowStream, type RowStream } from './row-stream.ts'
import {
  chooseFile,
  readContent,
  readFiles,
  tableOfFiles,
  writeLocal,
  type RunFiles,
} from './run-files.ts'
import { readOutputs, type RunOutputs } from './run-output.ts'
import { readRunRows } from './run-rows.ts'
import { RunState } from './run-state.ts'
import type { DeclaredColumns } from './selection.ts'
import { waitForRun } from './wait-for-run.ts'
import type { Row, SqlValue } from './value.ts'

/** The type of a measurement's rows: that of a known table, or any row. */
export type RowsOf<Tables extends object, Name extends string> = Name extends keyof Tables
  ? Extract<Tables[Name], object>
  : Row

/**
 * Programs on slivers, and what they measure. A run belongs to the testbed: its nodes start the programs, keep their output and watch their ends, also while no kernel and
 * no server is there. Any kernel gets the same run by its name: `lab.runs.get(name)`. `Tables`: the types of the rows of known tables.
 */
export class Run<Tables extends object = object> {
  readonly #session: Session
  readonly #state: RunState
  readonly #database: SampleDatabase
  readonly #tables: Readonly<Record<string, DeclaredColumns>>

  constructor(session: Session, object: RunObject) {
    this.#session = session
    this.#state = new RunState(session, object)
    this.#tables = tablesOfPoints(object.points ?? [])
    this.#database = new SampleDatabase(session, this.#state.selection())
  }

  /** The id: the column `run` of its samples, and COMMUNITY_LAB_RUN in its programs. */
  get id(): string {
    return this.#state.id
  }

  get name(): string {
    return this.#state.object.name
  }

  /** The measurements that it declares. */
  get points(): readonly Point[] {
    return this.#state.object.points ?? []
  }

  get sliceId(): number {
    return this.#state.object.slice.id
  }

  /** When it was asked for, by the server's clock. */
  get createdAt(): Date {
    return new Date(this.#state.object.created_on)
  }

  /** The run on each sliver, as last read. */
  get parts(): Outcomes {
    return describeParts(this.#state.known())
  }

  /** Read what the nodes have reported by now. @throws {@link LabError} LAB_RUN_GONE. */
  async refresh(given: { readonly signal?: AbortSignal } = {}): Promise<this> {
    checkSignal('refresh', given)
    await this.#call(given, (signal) => this.#state.refresh(signal))
    return this
  }

  /**
   * Wait until the run has ended on every sliver and all its samples are at the server, and show what is waited for. `timeoutMs` limits the wait; Infinity: no limit.
   * Without it, a run is waited for while one of its slivers can still report: the wait ends when each of the others has been silent for a minute because its node is off
   * or its sliver does not run. A run that was removed with its slice is not waited for.
   *
   * Returns what became of it on each sliver: how many of its lines were rejected or dropped, and why nothing comes from a silent one. The notebook also shows these
   * problems. It can be called again, in any kernel, because a node that was off may report later.
   */
  async done(options: WaitOptions = {}): Promise<Outcomes> {
    checkOptions('done', options, waitKinds)
    return this.#call(options, (signal) =>
      waitForRun(this.#session, this.#state, {
        ...{ timeoutMs: options.timeoutMs, database: this.#database, signal },
      }),
    )
  }

  /**
   * End the run on every sliver: SIGTERM, and SIGKILL two seconds later. Does nothing to a run that has ended. It also works in an interrupted cell, so it
   * can be used in `finally`.
   */
  async cancel(given: { readonly signal?: AbortSignal } = {}): Promise<this> {
    checkSignal('cancel', given)
    const options = { lab: this.#session.signal, signal: given.signal }
    await cleanUp(options, (signal) => this.#state.cancel(signal))
    return this
  }

  /**
   * Read the output of the programs so far, standard output and standard error as they came: of one sliver as a text, or of all. Where a program has ended, this waits
   * until all that was kept is there, no longer than `timeoutMs`; default: no limit.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID when the run is on no such sliver; LAB_RUN_GONE.
   */
  output(options?: WaitOptions): Promise<RunOutputs>
  output(which: SliverOrNode, options?: WaitOptions): Promise<string>
  async output(
    first: SliverOrNode | WaitOptions = {},
    second: WaitOptions = {},
  ): Promise<RunOutputs | string> {
    const isOne = isSliver(first)
    const options = isOne ? second : first
    checkOptions('output', options, waitKinds)
    return this.#call(options, async (caller) => {
      await this.#state.refresh(caller)
      const parts = isOne ? [this.#part(first)] : this.parts
      const { scope, id } = this.#state
      const outputs = await readOutputs(this.#session, this.#database, {
        ...{ scope, run: id, parts, timeoutMs: options.timeoutMs, signal: caller },
        endedOn: this.#state.object.ended_on,
      })
      return isOne ? (outputs[0]?.text ?? '') : outputs
    })
  }

  /**
   * List the files that its programs have kept (`keep`), and those that could not be, with the reason. Where a program has ended, this waits until all of them are there, no longer than
   * `timeoutMs`; default: no limit.
   *
   * @throws {@link LabError} LAB_RUN_GONE.
   */
  async files(options: WaitOptions = {}): Promise<RunFiles> {
    checkOptions('files', options, waitKinds)
    const { timeoutMs } = options
    return this.#call(options, async (signal) =>
      tableOfFiles(await readFiles(this.#session, this.#state, { timeoutMs, signal })),
    )
  }

  /**
   * Read a file that a program has kept, by its path in the folder of the program: `await run.file('capture.pcap')`. `sliver`: the sliver, or its node; needed where several have such a file.
   * `to`: a file of this machine to write it to, whose path is returned.
   *
   * @throws {@link LabError} LAB_RUN_FILE_MISSING; LAB_ARGUMENT_INVALID; LAB_RUN_GONE.
   */
  file(path: string, options: FileOptions & { readonly to: string }): Promise<string>
  file(path: string, options?: FileOptions): Promise<Buffer>
  async file(
    path: string,
    options: FileOptions & { readonly to?: string } = {},
  ): Promise<Buffer | string> {
    checkArgument('the path of the file', path, words)
    checkOptions('file', options, { ...waitKinds, sliver: sliverKind, to: localFile })
    const { timeoutMs, sliver, to } = options
    return this.#call(options, async (signal) => {
      const files = await readFiles(this.#session, this.#state, { timeoutMs, signal })
      const on = sliver === undefined ? null : this.#part(sliver).sliver
      const file = chooseFile(files, { run: this.name, wanted: path, on })
      const content = await readContent(this.#session, this.#state, { file, signal })
      return to === undefined ? content : writeLocal(to, { of: path, content })
    })
  }

  /**
   * The rows of one measurement, a point or its name, from the first on, as they land. Ends with the run. Only samples whose field `run` is this run are among them. Their
   * `time` is by the clock of the node.
   *
   * @throws {@link LabError} LAB_RUN_CUT_OFF after all rows that have landed, when a sliver was removed or ended before its program.
   */
  rows<P extends Point>(point: P, given?: { readonly signal?: AbortSignal }): RowStream<RowOf<P>>
  rows<Name extends string>(
    name: Name,
    given?: { readonly signal?: AbortSignal },
  ): RowStream<RowsOf<Tables, Name>>
  rows(which: Point | string, given: { readonly signal?: AbortSignal } = {}): RowStream {
    const name = measurementName(which)
    checkSignal('rows', given)
    const options = { lab: this.#session.signal, signal: given.signal }
    // Columns that no sample has had yet are null.
    const columns = Object.keys(this.#tables[name] ?? {})
    const absentOf = (row: Row): Row =>
      Object.fromEntries(columns.filter((one) => !(one in row)).map((one) => [one, null]))
    const read = (until: AbortSignal): AsyncGenerator<Row, void, undefined> =>
      readRunRows(this.#session, this.#state, { name, signal: until })
    return rowStream(() =>
      callEach(options, async function* (until) {
        for await (const row of read(until)) yield { ...row, ...absentOf(row) }
      }),
    )
  }

  /**
   * Draw the latest rows of a measurement in one output, which is drawn anew when there are more, at most twice a second, until the run has ended:
   *
   *     await run.live(rtt, (rows) => Plot.plot({ marks: [Plot.dot(rows, { x: 'time', y: 'rtt_s' })] }))
   *
   * The last drawing stays, also when the cell is interrupted. Without a measurement, it is the only one that the run declares.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID; what the function throws; what {@link Run.rows} throws.
   */
  live<P extends Point>(point: P, draw: Draw<RowOf<P>>, options?: LiveOptions): Promise<void>
  live(name: string, draw: Draw<Row>, options?: LiveOptions): Promise<void>
  live(draw: Draw<Row>, options?: LiveOptions): Promise<void>
  async live(
    first: Point | string | Draw<Row>,
    second?: Draw<never> | LiveOptions,
    third?: LiveOptions,
  ): Promise<void> {
    const isNamed = typeof first !== 'function'
    const name = isNamed ? measurementName(first) : onlyPoint(this.points).name
    const draw: unknown = isNamed ? second : first
    const options: unknown = (isNamed ? third : second) ?? {}
    const live = checkLive(draw, options)
    await drawLive((signal) => this.rows(name, { signal }), live.draw, live.options)
  }

  /**
   * Run a query in the run's database (DuckDB), which has a table for each measurement with the samples of this run that have landed; of a measurement whose samples have no
   * field `run`, those of its slivers from its beginning to its end. Times are by the server's clock. Values become parameters,
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
    const { parts } = this
    const ended = parts.filter(({ state }) => state === 'ended')
    return writeDataset(this.#database, folder, {
      run: this.id,
      name: this.name,
      slice_id: this.sliceId,
      nodes: parts.map(({ node }) => node),
      created_on: this.createdAt.toISOString(),
      ended: ended.map(({ sliver, node, exitCode, reason }) => ({
        sliver,
        node,
        exitCode,
        reason,
      })),
    })
  }

  /** Return the samples of the run together with the health, links and routes of the nodes in its time. */
  context(): RunContext {
    return new RunContext(this.#session, this.#state)
  }

  /** Close the run's database, which frees memory. The run goes on, and a later query fetches its samples again. */
  close(): Promise<void> {
    return this.#database.close()
  }

  #part(which: SliverOrNode): Outcome {
    const name = nameOf(which)
    const part = this.parts.find(({ sliver, node }) => sliver === name || node === name)
    if (part !== undefined) return part
    const nodes = this.parts.map(({ node }) => node)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'which',
      found: JSON.stringify(name),
      expected: `a sliver or node that run ${this.name} is on: ${nodes.join(', ')}`,
    })
  }

  #call<T>(
    { signal }: { readonly signal?: AbortSignal },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  [inspect.custom](): string {
    const states = this.parts.map(({ node, state, exitCode, reason }) =>
      state === 'ended' ? `${node} ${reason} ${exitCode ?? ''}`.trim() : `${node} ${state}`,
    )
    return `Run ${this.name} (${states.join(', ')})`
  }

  [displaySymbol](): Bundle {
    const { parts } = this
    const { 'text/html': html } = tableBundle(parts, outcomeColumns(parts), `run ${this.name}`)
    return { 'text/plain': inspect(this), 'text/html': html }
  }
}

/** Where a file is read, and how long to wait for it. */
export interface FileOptions extends WaitOptions {
  /** The sliver whose file it is, or its node; default: the only one that has such a file. */
  readonly sliver?: SliverOrNode
}

const sliverKind: Kind = {
  expected: 'a sliver, or its node',
  is: (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
}

/** Tell whether an argument names a sliver. Otherwise it is an object of options. */
function isSliver(value: SliverOrNode | WaitOptions): value is SliverOrNode {
  return typeof value !== 'object' || value instanceof Sliver || 'name' in value
}
