import { inspect } from 'node:util'
import {
  LabError,
  path,
  routes,
  Run as RunObject,
  sliceScope,
  type Point,
  type RowOf,
} from '@community-lab/contract'
import { checkOptions, checkSignal } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { asTable, tableBundle, type Column, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import type { SliverOrNode } from '../sliver/slice-handle.ts'
import { nameOf } from '../sliver/slivers.ts'
import { waitKinds, type WaitOptions } from '../sliver/started.ts'
import { call, callEach, cleanUp } from '../wait/call.ts'
import { anySignal, timeoutSignal } from '../wait/signal.ts'
import { RunContext } from './context.ts'
import { checkParquet, SampleDatabase, type WrittenTable } from './database.ts'
import { followRun, waitForEndRows } from './follow-run.ts'
import { checkLive, drawLive, type Draw, type LiveOptions } from './live.ts'
import { measurementName, onlyPoint, tablesOfPoints } from './point-tables.ts'
import { readPresentRows, readRows, rowStream, type RowStream } from './row-stream.ts'
import { waitForOutput } from './run-output.ts'
import type { RowsOf } from './run.ts'
import type { DeclaredColumns } from './sample-tables.ts'
import type { Row, SqlValue } from './value.ts'

/** A run on one sliver, as its node has last reported it. */
export interface RunPartState {
  /** The id of the sliver, and the name of its node. */
  readonly sliver: string
  readonly node: string
  /** `waiting`: it has not begun. */
  readonly state: 'waiting' | 'running' | 'ended'
  /** By the clock of its node; null: it has not begun. */
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  /** 128 + n: signal n ended it. null: it has not ended, or nobody knows. */
  readonly exitCode: number | null
  /**
   * Why it has ended. `exited`: by itself. `limit`: its time was over. `cancelled`. `sliver_ended`: its sliver ended. `reset`: its sliver was reset before it began.
   * `removed`: its sliver was removed. `failed`: it could not be started. `lost`: the node lost its power, or what watched the program was killed. null: it has not.
   */
  readonly reason: string | null
  readonly message: string | null
  /** How many bytes of its output are kept, and how many more it has written. Known when it has ended. */
  readonly outputBytes: number
  readonly lostBytes: number
}

/** What became of a run on each sliver. A table in notebooks. */
export type RunParts = Shown<RunPartState> & {
  /** It has ended on every sliver, by itself, with exit code 0. */
  readonly ok: boolean
}

/**
 * A run that belongs to the testbed: its nodes start the programs, keep their output and watch their ends, also while no kernel and no server is there. Any kernel
 * gets the same run by its name: `lab.runs.get(name)`.
 */
export class TestbedRun<Tables extends object = object> {
  readonly #session: Session
  readonly #database: SampleDatabase
  readonly #tables: Readonly<Record<string, DeclaredColumns>>
  #object: RunObject

  /** `known`: tables that its programs are known to make. */
  constructor(
    session: Session,
    object: RunObject,
    known: Readonly<Record<string, DeclaredColumns>> = {},
  ) {
    const tables = { ...tablesOfPoints(object.points ?? []), ...known }
    this.#session = session
    this.#object = object
    this.#tables = tables
    this.#database = new SampleDatabase(session, { scope: this.#scope, run: object.id, tables })
  }

  /** The id: the column `run` of its samples, and COMMUNITY_LAB_RUN in its programs. */
  get id(): string {
    return this.#object.id
  }

  get name(): string {
    return this.#object.name
  }

  /** The measurements that it declares. */
  get points(): readonly Point[] {
    return this.#object.points ?? []
  }

  get sliceId(): number {
    return this.#object.slice.id
  }

  /** The run on each sliver, as last read. */
  get parts(): RunParts {
    return showParts(this.#object)
  }

  /** Read what the nodes have reported by now. */
  async refresh(given: { readonly signal?: AbortSignal } = {}): Promise<this> {
    checkSignal('refresh', given)
    await this.#call(given, async (signal) => {
      this.#object = await this.#session.http.ask(RunObject, this.#path(routes.run), { signal })
    })
    return this
  }

  /**
   * Wait until the run has ended on every sliver, and its samples are at the server. `timeoutMs` limits the wait; default: no limit, because a node that is off may come
   * back and report. Returns what became of it on each sliver by then. It can be called again, in any kernel.
   */
  async done(options: WaitOptions = {}): Promise<RunParts> {
    checkOptions('done', options, waitKinds)
    const timeout = timeoutSignal(options.timeoutMs ?? Infinity)
    await this.#call(options, async (caller) => {
      const signal = anySignal(caller, timeout ?? undefined)
      try {
        await this.#waitForEnd(signal)
        await waitForEndRows(this.#session, { scope: this.#scope, run: this.#object, signal })
      } catch (error) {
        if (caller.aborted || timeout?.aborted !== true) throw error
      }
    })
    return this.parts
  }

  /** End the run on every sliver: SIGTERM, and SIGKILL two seconds later. A run that has ended stays as it is. */
  async cancel(given: { readonly signal?: AbortSignal } = {}): Promise<this> {
    checkSignal('cancel', given)
    const options = { lab: this.#session.signal, signal: given.signal }
    await cleanUp(options, async (signal) => {
      const request = { method: 'POST', signal } as const
      this.#object = await this.#session.http.ask(RunObject, this.#path(routes.runCancel), request)
    })
    return this
  }

  /**
   * Read the output of the program on a sliver so far, standard output and standard error as they came. When the program has ended, this waits until all that was kept is
   * there. Bytes that are no UTF-8 are replaced.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID when the run is on no such sliver.
   */
  async output(
    which: SliverOrNode,
    given: { readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    checkSignal('output', given)
    return this.#call(given, async (signal) => {
      this.#object = await this.#session.http.ask(RunObject, this.#path(routes.run), { signal })
      const part = this.#part(which)
      const bytes = await waitForOutput(this.#database, part, signal)
      return bytes.toString('utf8')
    })
  }

  /**
   * The rows of one measurement, a point or its name, from the first on, as they land. Ends with the run.
   *
   * @throws {@link LabError} LAB_NOT_FOUND when the run was removed with its slice.
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
      this.#readRows(name, until)
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
   * @throws {@link LabError} LAB_ARGUMENT_INVALID; what the function throws; what {@link TestbedRun.rows} throws.
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

  /** Run a query in the run's database (DuckDB), which has a table for each measurement. See `Run.sql`. */
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

  /** Return the samples of the run together with the health, links and routes of the nodes in its time. */
  context(): RunContext {
    return new RunContext(this.#session, this.#object)
  }

  /** Close the run's database, which frees memory. The run goes on. */
  close(): Promise<void> {
    return this.#database.close()
  }

  get #scope(): string {
    return sliceScope(this.#object.slice.id)
  }

  #path(route: string): string {
    return path(route, { id: this.#object.id })
  }

  #part(which: SliverOrNode): RunPartState {
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

  async #waitForEnd(signal: AbortSignal): Promise<void> {
    await followRun(this.#session, this.id, {
      signal,
      take: (object) => {
        this.#object = object
        return object.ended_on !== null
      },
    })
  }

  async *#readRows(name: string, caller: AbortSignal): AsyncGenerator<Row, void, undefined> {
    const ended = new AbortController()
    const signal = anySignal(caller, ended.signal)
    const session = this.#session
    const selection = { scope: this.#scope, name, run: this.id, signal }
    const end = this.#waitForEnd(signal)
      .then(() => waitForEndRows(session, { scope: this.#scope, run: this.#object, signal }))
      .finally(() => ended.abort())
    // A failure is thrown below. The stream of rows does not end by itself when a run is removed, because its samples stay.
    end.catch(() => undefined)
    let last = 0
    try {
      for await (const { rows, landed } of readRows(session, selection)) {
        last = landed
        yield* rows
      }
    } catch (error) {
      if (caller.aborted || !ended.signal.aborted) throw error
    } finally {
      ended.abort()
    }
    // The end may have arrived before the last rows.
    const rest = { ...selection, after: last, signal: caller }
    for await (const { rows } of readPresentRows(session, rest)) yield* rows
    await end
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
    return `TestbedRun ${this.name} (${states.join(', ')})`
  }

  [displaySymbol](): Bundle {
    const { 'text/html': html } = tableBundle(this.parts, partColumns, `run ${this.name}`)
    return { 'text/plain': inspect(this), 'text/html': html }
  }
}

const partColumns: readonly Column<RunPartState>[] = (
  ['node', 'state', 'exitCode', 'reason', 'message', 'startedAt', 'endedAt', 'outputBytes'] as const
).map((name) => ({ name, value: (part) => part[name] }))

function showParts({ parts }: RunObject): RunParts {
  const states = parts.map((part): RunPartState => {
    const { exit_code: code, signal } = part
    return {
      sliver: part.sliver.id,
      node: part.node.name ?? String(part.node.id),
      state: part.state,
      startedAt: toDate(part.started_on),
      endedAt: toDate(part.ended_on),
      exitCode: code ?? (signal === null ? null : 128 + signal),
      reason: part.reason,
      message: part.message,
      outputBytes: part.output_bytes,
      lostBytes: part.lost_bytes,
    }
  })
  const ok = states.every(({ reason, exitCode }) => reason === 'exited' && exitCode === 0)
  const shown = asTable(states, () => partColumns)
  return Object.defineProperty(shown, 'ok', { value: ok }) as RunParts
}

function toDate(time: string | null): Date | null {
  return time === null ? null : new Date(time)
}
