import { inspect } from 'node:util'
import {
  LabError,
  path,
  routes,
  Slice as SliceObject,
  type Sliver as SliverObject,
} from '@community-lab/contract'
import {
  abortSignal,
  checkArgument,
  checkOptions,
  durationMs,
  either,
  fileMap,
  named,
  oneOf,
  wholeNumber,
  words,
} from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import { formatTime } from '../display/time.ts'
import { measureRtt, rttKinds, type RttOptions, type RttTables } from '../run/rtt.ts'
import type { Run } from '../run/run.ts'
import { checkRun, startRun, type RunOptions } from '../run/start.ts'
import { traceRoute, type Route } from '../run/traceroute.ts'
import type { Session } from '../session.ts'
import { packFiles, unpackCommand, type Files } from '../ssh/archive.ts'
import { execKinds, type ExecOptions, type Execution } from '../ssh/exec.ts'
import { commandOf, type Argument } from '../ssh/quote.ts'
import { collectResults, requireOk, type CommandResults } from '../ssh/result.ts'
import { runTemplate, type ShellTag } from '../ssh/template.ts'
import { call, cleanUp } from '../wait/call.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { checkDownload, downloadAll, type DownloadOptions, type Downloads } from './download.ts'
import { readSlivers } from './read-slivers.ts'
import type { SliceHandle, SliverOrNode } from './slice-handle.ts'
import { runInside, Sliver, sliverColumns, sourceOf, updateSliver } from './sliver.ts'
import { waitStarted, type WaitedSlice, type WaitOptions } from './started.ts'

/** How many slivers are worked with at once. */
const concurrency = 64

const filesKind = either(words, fileMap)
const uploadKinds = {
  mode: wholeNumber(0, 0o7777),
  timeoutMs: durationMs,
  signal: abortSignal,
}

/** What ends a call early. */
export interface CallSignal {
  readonly signal?: AbortSignal
}

/** Options of an upload. */
export interface UploadOptions {
  /** The mode of all files, in place of their own. */
  readonly mode?: number
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Options of a traceroute. */
export interface TraceOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** An experiment's share of the testbed: a sliver on each of its nodes. Its members say what it was when it was last heard of. */
export class Slice implements SliceHandle {
  readonly #session: Session
  #object: SliceObject
  #slivers: readonly Sliver[]

  constructor(session: Session, object: SliceObject, slivers: readonly SliverObject[]) {
    this.#session = session
    this.#object = object
    this.#slivers = sortSlivers(slivers).map((sliver) => new Sliver(session, sliver))
  }

  get id(): number {
    return this.#object.id
  }

  get name(): string {
    return this.#object.name
  }

  /** Its slivers, in the order of their nodes' ids. */
  get slivers(): readonly Sliver[] {
    return this.#slivers
  }

  /** When it ends, with all its slivers, unless it is renewed. What it measured stays. */
  get expiresAt(): Date {
    return new Date(this.#object.expires_on)
  }

  /**
   * Ask the server for the state of the slice and its slivers. The handles of its slivers stay the same objects. @throws {@link LabError} LAB_SLICE_GONE when it
   * was released or has expired.
   */
  async refresh(options: CallSignal = {}): Promise<this> {
    await this.#call(options, (signal) => this.#refresh(signal))
    return this
  }

  /**
   * Wait until every sliver runs as it is wanted now, and show meanwhile how each is; at most two minutes unless told otherwise.
   *
   * @throws {@link LabError} LAB_SLICE_FAILED naming each sliver that failed or was removed, and why, once the others have started; LAB_SLICE_NOT_STARTED when it
   * takes too long; LAB_SLICE_GONE when the slice is released meanwhile.
   */
  async started(options: WaitOptions = {}): Promise<this> {
    const slice: WaitedSlice = {
      id: this.id,
      name: this.name,
      slivers: () => this.#slivers,
      instanceSn: () => this.#object.instance_sn,
      refresh: (signal) => this.#refresh(signal),
      take: (object) => (this.#object = object),
    }
    await this.#call(options, (signal) => waitStarted(this.#session, slice, { ...options, signal }))
    return this
  }

  /** Keep it for as long as a new slice lives, which is 30 days, from now on. @throws {@link LabError} LAB_SLICE_GONE when it was released or has expired. */
  async renew(options: CallSignal = {}): Promise<this> {
    const { http } = this.#session
    const route = path(routes.sliceRenew, { id: this.id })
    this.#object = await this.#call(options, (signal) =>
      this.#orGone(http.ask(SliceObject, route, { method: 'POST', signal })),
    )
    return this
  }

  /**
   * Run a command on all slivers: its text is for their shells, each value exactly one argument. A result for each. With options first, such as
   * `` sh({ cwd: '/srv', timeoutMs: 5_000 })`make` ``.
   */
  sh(options: ExecOptions): ShellTag<CommandResults>
  sh(strings: TemplateStringsArray, ...values: readonly Argument[]): Promise<CommandResults>
  sh(
    first: TemplateStringsArray | ExecOptions,
    ...values: readonly Argument[]
  ): Promise<CommandResults> | ShellTag<CommandResults> {
    return runTemplate((command, options) => this.exec(command, options), first, values)
  }

  /**
   * Run a command line, or an argument vector, on all slivers. A sliver that fails is in the results, and hides no other. See `Sliver.exec`.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID.
   */
  async exec(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): Promise<CommandResults> {
    checkOptions('a command', options, execKinds)
    return this.#call(options, (signal) =>
      this.#runOnAll(commandOf(command), { ...options, signal }),
    )
  }

  /**
   * Put files into a folder of every sliver, which is made if it is not there. A folder of this machine arrives as it is, with its empty folders, its symbolic
   * links and everyone's mode.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED with the first sliver where it failed; LAB_ARGUMENT_INVALID.
   */
  async upload(
    files: Files,
    remoteDir: string,
    options: UploadOptions = {},
  ): Promise<CommandResults> {
    checkArgument('what to upload', files, filesKind)
    checkArgument('the folder of the slivers that it goes to', remoteDir, words)
    checkOptions('upload', options, uploadKinds)
    return this.#call(options, async (signal) => {
      const { mode, ...rest } = options
      const input = await packFiles(files, mode)
      const command = unpackCommand(remoteDir)
      const results = await this.#runOnAll(command, { ...rest, input, signal })
      requireOk(results, 'the upload')
      return results
    })
  }

  /**
   * Take a file, or a folder with all that is in it, from every sliver: each into a folder of its node's name under `to`. A sliver that fails is in what comes back, and
   * hides no other. See `Sliver.download`.
   */
  async download(from: string, to: string, options: DownloadOptions = {}): Promise<Downloads> {
    checkDownload(from, to, options)
    return this.#call(options, (signal) =>
      downloadAll(this.#slivers.map(sourceOf), { ...options, from, to, signal }),
    )
  }

  /**
   * Start a program on every sliver, or on those named by `on`. It runs on its own, whatever becomes of this connection; what it writes to
   * `/run/community-lab/measure` with `run="$COMMUNITY_LAB_RUN"` belongs to the run. Several programs make one run too: a server on one sliver, a client on another.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when a sliver could not start it; LAB_ARGUMENT_INVALID, LAB_SLIVER_UNKNOWN.
   */
  async run(name: string, options: RunOptions): Promise<Run> {
    checkRun(options)
    return this.#call(options, (signal) =>
      startRun(this.#session, this, { ...options, name, signal }),
    )
  }

  /**
   * Measure round-trip times. Each probe is a row of `rtt`: `rtt_s` (seconds; null and `lost` true when no answer came within a second or the next
   * probe's time, whichever is longer), `seq_no`, `ttl`, `peer` (the other node's name), `run`. Probes are iputils' ping from the slivers `from`.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID, LAB_SLIVER_UNKNOWN, LAB_SLIVER_NO_ADDRESS; LAB_COMMAND_FAILED when it cannot be started.
   */
  async measure(name: 'rtt', options: RttOptions): Promise<Run<RttTables>> {
    checkArgument('the measurement', name, oneOf('rtt'))
    checkOptions('measure', options, rttKinds)
    return this.#call(options, (signal) =>
      measureRtt(this.#session, this, { ...options, name, signal }),
    )
  }

  /** Find the way that packets take from one sliver to another; shown as a path of nodes. */
  async traceroute(
    from: SliverOrNode,
    to: SliverOrNode,
    options: TraceOptions = {},
  ): Promise<Route> {
    checkOptions('traceroute', options, { timeoutMs: durationMs, signal: abortSignal })
    return this.#call(options, (signal) => {
      const ends = { from: this.sliver(from), to: this.sliver(to) }
      return traceRoute(this.#session, { ...ends, ...options, signal })
    })
  }

  /** The sliver on a node. @throws {@link LabError} LAB_SLIVER_UNKNOWN. */
  sliver(which: SliverOrNode): Sliver {
    if (!(which instanceof Sliver)) checkArgument('the sliver', which, named)
    const name = which instanceof Sliver ? which.id : typeof which === 'string' ? which : which.name
    const found = this.#slivers.find((sliver) => sliver.id === name || sliver.node === name)
    if (found !== undefined) return found
    const known = this.#slivers.map(({ node }) => node)
    throw new LabError('LAB_SLIVER_UNKNOWN', { slice: this.name, name, known })
  }

  /**
   * Give the slice back: its slivers end, its nodes are free for others. What it measured stays. A slice that is gone already is no error. It is sent from an
   * interrupted cell too, so that it can stand in `finally`.
   */
  release({ signal: own }: CallSignal = {}): Promise<void> {
    return cleanUp({ lab: this.#session.signal, signal: own }, async (signal) => {
      const { http, pool } = this.#session
      pool.drop(this.#slivers.map(({ id }) => id))
      try {
        await http.tell(path(routes.slice, { id: this.id }), { method: 'DELETE', signal })
      } catch (error) {
        if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
      }
      this.#slivers = []
    })
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { http } = this.#session
    const [slice, slivers] = await Promise.all([
      this.#orGone(http.ask(SliceObject, path(routes.slice, { id: this.id }), { signal })),
      readSlivers(this.#session, this.id, signal),
    ])
    this.#object = slice
    const known = new Map(this.#slivers.map((sliver) => [sliver.id, sliver]))
    this.#slivers = sortSlivers(slivers).map((object) => {
      const sliver = known.get(object.id)
      if (sliver === undefined) return new Sliver(this.#session, object)
      updateSliver(sliver, object)
      return sliver
    })
  }

  /** An answer about the slice. @throws {@link LabError} LAB_SLICE_GONE when the server does not know it any more. */
  async #orGone<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (cause) {
      if (!LabError.is(cause, 'LAB_NOT_FOUND')) throw cause
      throw new LabError('LAB_SLICE_GONE', { slice: this.name }, { cause })
    }
  }

  async #runOnAll(command: string, options: Omit<Execution, 'command'>): Promise<CommandResults> {
    return collectResults(
      await mapBounded(this.#slivers, concurrency, (sliver) => runInside(sliver, command, options)),
    )
  }

  #call<T>({ signal }: CallSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  [inspect.custom](): string {
    const states = this.#slivers.map(({ node, state }) => `${node} ${state}`).join(', ')
    return `Slice ${this.name} (${states === '' ? 'no slivers' : states}; ends ${formatTime(this.expiresAt)})`
  }

  [displaySymbol](): Bundle {
    const note = `slice ${this.name} ends ${formatTime(this.expiresAt)}`
    const { 'text/html': html } = tableBundle(this.#slivers, sliverColumns, note)
    return { 'text/plain': inspect(this), 'text/html': html }
  }
}

function sortSlivers(slivers: readonly SliverObject[]): SliverObject[] {
  return [...slivers].sort((one, other) => one.node.id - other.node.id)
}
