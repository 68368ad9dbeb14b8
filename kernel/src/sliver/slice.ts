import { inspect } from 'node:util'
import { LabError, path, routes, Sliver as SliverSchema } from '@community-lab/contract'
import Type from 'typebox'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import { measureRtt, type RttOptions } from '../run/rtt.ts'
import type { Run } from '../run/run.ts'
import { startRun, type RunOptions } from '../run/start.ts'
import { traceRoute, type Route } from '../run/traceroute.ts'
import type { Session } from '../session.ts'
import { packFiles, type Files } from '../ssh/archive.ts'
import type { ExecOptions } from '../ssh/exec.ts'
import { buildCommand, commandOf, quote, type Argument } from '../ssh/quote.ts'
import { requireOk } from '../ssh/requirement.ts'
import { collectResults, type CommandResults } from '../ssh/result.ts'
import { mapBounded } from '../wait/concurrency.ts'
import type { SliceHandle, SliverOrNode } from './slice-handle.ts'
import { Sliver, sliverColumns, updateSliver } from './sliver.ts'
import { waitStarted, type WaitOptions } from './started.ts'

/** How many slivers are worked with at once. */
const concurrency = 64

/** An experiment's share of the testbed: a sliver on each of its nodes. */
export class Slice implements SliceHandle {
  readonly #session: Session
  readonly #id: number
  readonly #name: string
  #slivers: readonly Sliver[]

  constructor(
    session: Session,
    { id, name }: { readonly id: number; readonly name: string },
    slivers: readonly SliverSchema[],
  ) {
    this.#session = session
    this.#id = id
    this.#name = name
    this.#slivers = sortSlivers(slivers).map((object) => new Sliver(session, object))
  }

  get id(): number {
    return this.#id
  }

  get name(): string {
    return this.#name
  }

  /** Its slivers, in the order of their nodes' ids. */
  get slivers(): readonly Sliver[] {
    return this.#slivers
  }

  /** Ask the server how its slivers are. Handles stay the same ones. */
  async refresh({ signal }: { readonly signal?: AbortSignal } = {}): Promise<this> {
    const objects = await readSlivers(this.#session, this.#id, signal)
    const known = new Map(this.#slivers.map((sliver) => [sliver.id, sliver]))
    this.#slivers = sortSlivers(objects).map((object) => {
      const sliver = known.get(object.id)
      if (sliver === undefined) return new Sliver(this.#session, object)
      updateSliver(sliver, object)
      return sliver
    })
    return this
  }

  /**
   * Wait until every sliver runs, and show meanwhile how each is; at most two minutes unless told otherwise.
   *
   * @throws {@link LabError} LAB_SLICE_FAILED naming each sliver that failed and why, once the others have started; LAB_SLICE_NOT_STARTED when it takes
   * too long.
   */
  async started(options: WaitOptions = {}): Promise<this> {
    await waitStarted(this.#session, this, options)
    return this
  }

  /** Run a command on all slivers: its text is for their shells, each value exactly one argument. A result for each. */
  sh(strings: TemplateStringsArray, ...values: readonly Argument[]): Promise<CommandResults> {
    return this.exec(buildCommand(strings, values))
  }

  /** Run a command line, or an argument vector, on all slivers. A sliver that fails is in the results, and hides no other. */
  async exec(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): Promise<CommandResults> {
    const line = commandOf(command)
    return collectResults(
      await mapBounded(this.#slivers, concurrency, (sliver) => sliver.exec(line, options)),
    )
  }

  /**
   * Put files into a folder of every sliver, which is made if it is not there.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED with the first sliver where it failed; LAB_ARGUMENT_INVALID.
   */
  async upload(
    files: Files,
    remoteDir: string,
    { mode, ...options }: { readonly mode?: number } & Omit<ExecOptions, 'input'> = {},
  ): Promise<CommandResults> {
    const folder = quote(remoteDir)
    const results = await this.exec(`mkdir -p ${folder} && tar -x -f - -C ${folder}`, {
      ...options,
      input: await packFiles(files, mode),
    })
    requireOk(results, 'the upload')
    return results
  }

  /**
   * Start a program on every sliver. It runs on its own, whatever becomes of this connection; what it writes to `/run/community-lab/measure` with
   * `run="$COMMUNITY_LAB_RUN"` belongs to the run.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when a sliver could not start it.
   */
  run(name: string, options: RunOptions): Promise<Run> {
    return startRun(this.#session, this, { ...options, name, slivers: this.#slivers })
  }

  /**
   * Measure round-trip times. Each probe is a row of `rtt`: `rtt_s` (seconds; null and `lost` true when no answer came within a second or the next
   * probe's time, whichever is longer), `seq_no`, `ttl`, `peer` (the other node's name), `run`. Probes are iputils' ping from the slivers `from`.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID, LAB_SLIVER_UNKNOWN, LAB_SLIVER_NO_ADDRESS; LAB_COMMAND_FAILED when it cannot be started.
   */
  measure(name: 'rtt', options: RttOptions): Promise<Run> {
    return measureRtt(this.#session, this, { ...options, name })
  }

  /** Find the way that packets take from one sliver to another; shown as a path of nodes. */
  traceroute(
    from: SliverOrNode,
    to: SliverOrNode,
    options: Omit<ExecOptions, 'input'> = {},
  ): Promise<Route> {
    return traceRoute(this.#session, { from: this.sliver(from), to: this.sliver(to), ...options })
  }

  /** The sliver on a node. @throws {@link LabError} LAB_SLIVER_UNKNOWN. */
  sliver(which: SliverOrNode): Sliver {
    const name = which instanceof Sliver ? which.id : typeof which === 'string' ? which : which.name
    const found = this.#slivers.find((sliver) => sliver.id === name || sliver.node === name)
    if (found !== undefined) return found
    const known = this.#slivers.map(({ node }) => node)
    throw new LabError('LAB_SLIVER_UNKNOWN', { slice: this.#name, name, known })
  }

  /** Give the slice back: its slivers end, its nodes are free for others. What it measured stays. A slice that is gone already is no error. */
  async release({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#session.pool.drop(this.#slivers.map(({ id }) => id))
    try {
      await this.#session.http.tell(path(routes.slice, { id: this.#id }), {
        method: 'DELETE',
        signal,
      })
    } catch (error) {
      if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
    }
    this.#slivers = []
  }

  [inspect.custom](): string {
    const states = this.#slivers.map(({ node, state }) => `${node} ${state}`).join(', ')
    return `Slice ${this.#name} (${states === '' ? 'no slivers' : states})`
  }

  [displaySymbol](): Bundle {
    const { 'text/html': html } = tableBundle(this.#slivers, sliverColumns)
    return { 'text/plain': inspect(this), 'text/html': html }
  }
}

/** Read a slice's slivers. */
export function readSlivers(
  { http }: Session,
  sliceId: number,
  signal?: AbortSignal,
): Promise<SliverSchema[]> {
  const query = { '/slice/id': String(sliceId) }
  return http.ask(Type.Array(SliverSchema), routes.slivers, { query, signal })
}

function sortSlivers(slivers: readonly SliverSchema[]): SliverSchema[] {
  return [...slivers].sort((one, other) => one.node.id - other.node.id)
}
