import { inspect } from 'node:util'
import {
  LabError,
  path,
  routes,
  Slice as SliceObject,
  type Sliver as SliverObject,
} from '@community-lab/contract'
import { anObject, checkArgument, checkOptions, checkSignal } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import { formatTime } from '../display/time.ts'
import type { MeasureOptions } from '../measure/measurement.ts'
import type { MeasurementName, Measurements } from '../measure/measurements.ts'
import { checkMeasure, startMeasurement } from '../measure/start.ts'
import type { Run } from '../run/run.ts'
import { checkRun, startRun, type NamedRunOptions, type RunOptions } from '../run/start.ts'
import { traceKinds, traceRoute, type Route, type TraceOptions } from '../run/traceroute.ts'
import type { Session } from '../session.ts'
import type { Files } from '@community-lab/contract/files'
import { checkExecOptions, type ExecOptions } from '../ssh/exec.ts'
import { commandOf, type Argument } from '../ssh/quote.ts'
import type { CommandResults } from '../ssh/result.ts'
import { runTemplate, type ShellTag } from '../ssh/template.ts'
import { call, cleanUp } from '../wait/call.ts'
import { checkDownload, downloadAll, type DownloadOptions, type Downloads } from './download.ts'
import { readSlivers } from './read-slivers.ts'
import type { SliceHandle, SliverOrNode } from './slice-handle.ts'
import { sliverColumns, sourceOf, type Sliver } from './sliver.ts'
import {
  checkUpload,
  findSliver,
  makeSlivers,
  runOnAll,
  uploadToAll,
  type UploadOptions,
} from './slivers.ts'
import { waitKinds, waitStarted, type WaitedSlice, type WaitOptions } from './started.ts'

/** A signal that ends a call early. */
export interface CallSignal {
  readonly signal?: AbortSignal
}

/** A version of a template. */
export interface SliceTemplate {
  /** It counts from 1. `slices.ensure(…, { template: 'tiny@1' })` names it. */
  readonly version: number
  /** The SHA-256 of its image, in hexadecimal digits. */
  readonly sha256: string
}

/** A slice: the slivers of an experiment, one on each of its nodes. Its members are as the server last reported them. */
export class Slice implements SliceHandle {
  readonly #session: Session
  #object: SliceObject
  #slivers: readonly Sliver[] = []
  #isReleased = false

  constructor(session: Session, object: SliceObject, slivers: readonly SliverObject[]) {
    this.#session = session
    this.#object = object
    this.#slivers = this.#makeSlivers(slivers)
  }

  get id(): number {
    return this.#object.id
  }

  get name(): string {
    return this.#object.name
  }

  /** The slivers, in the order of the ids of their nodes. */
  get slivers(): readonly Sliver[] {
    return this.#slivers
  }

  /** The version of the template that the slivers are made of. It never changes, so a paper can name it. null: the slice has no template or no image yet. */
  get template(): SliceTemplate | null {
    const {
      template,
      template_version: version = null,
      template_sha256: sha256 = null,
    } = this.#object.sliver_defaults
    return template === null || version === null || sha256 === null ? null : { version, sha256 }
  }

  /** When the slice ends with all its slivers, unless it is renewed. Its measurements stay. */
  get expiresAt(): Date {
    return new Date(this.#object.expires_on)
  }

  /**
   * Read the state of the slice and its slivers from the server. The objects of its slivers stay the same. @throws {@link LabError} LAB_SLICE_GONE when the
   * slice was released or has expired.
   */
  async refresh(options: CallSignal = {}): Promise<this> {
    checkSignal('refresh', options)
    await this.#call(options, (signal) => this.#refresh(signal))
    return this
  }

  /**
   * Wait until every sliver runs in its current configuration, and show the state of each. The default limit is two minutes.
   *
   * @throws {@link LabError} LAB_SLICE_FAILED when the others have started, with each sliver that failed or was removed, and why; LAB_SLICE_NOT_STARTED when
   * the limit is reached; LAB_SLICE_GONE when the slice is released meanwhile.
   */
  async started(options: WaitOptions = {}): Promise<this> {
    checkOptions('started', options, waitKinds)
    const slice: WaitedSlice = {
      id: this.id,
      name: this.name,
      slivers: () => this.#slivers,
      refresh: (signal) => this.#refresh(signal),
      take: (object) => (this.#object = object),
    }
    await this.#call(options, (signal) => waitStarted(this.#session, slice, { ...options, signal }))
    return this
  }

  /** Extend the life of the slice to that of a new one: 30 days from now. @throws {@link LabError} LAB_SLICE_GONE when it was released or has expired. */
  async renew(options: CallSignal = {}): Promise<this> {
    checkSignal('renew', options)
    await this.#post(routes.sliceRenew, options)
    return this
  }

  /**
   * Recreate all slivers of the slice from their templates. All files in them are lost; measurements stay. `started()` waits for the new slivers.
   *
   * @throws {@link LabError} LAB_SLICE_GONE when the slice was released or has expired.
   */
  async reset(options: CallSignal = {}): Promise<this> {
    checkSignal('reset', options)
    await this.#post(routes.sliceReset, options)
    this.#session.pool.drop(this.#slivers.map(({ id }) => id))
    return this
  }

  /**
   * Run a command on all slivers and return a result for each. The text of the template is for the shell; each value becomes exactly one argument. Options come
   * first, as in `` sh({ cwd: '/srv', timeoutMs: 5_000 })`make` ``.
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
   * Run a command line, or a list of arguments, on all slivers. The results contain failures, so that one does not hide the others. See `Sliver.exec`.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID; LAB_SLICE_GONE after `release`.
   */
  async exec(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): Promise<CommandResults> {
    checkExecOptions(options)
    return this.#onSlivers(options, (signal) =>
      runOnAll(this.#slivers, commandOf(command), { ...options, signal }),
    )
  }

  /**
   * Put files into a folder of every sliver. The folder is made if it does not exist. A folder of this machine is copied with its empty folders, its symbolic
   * links and the modes of its files.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED with the first sliver that failed; LAB_ARGUMENT_INVALID.
   */
  async upload(
    files: Files,
    remoteDir: string,
    options: UploadOptions = {},
  ): Promise<CommandResults> {
    checkUpload(files, remoteDir, options)
    return this.#onSlivers(options, (signal) =>
      uploadToAll(this.#slivers, { ...options, files, remoteDir, signal }),
    )
  }

  /**
   * Take a file, or a folder with its content, from every sliver. Each goes into a folder of `to` that has the name of the node. The results contain failures,
   * so that one does not hide the others. See `Sliver.download`.
   */
  async download(from: string, to: string, options: DownloadOptions = {}): Promise<Downloads> {
    checkDownload(from, to, options)
    return this.#onSlivers(options, (signal) =>
      downloadAll(this.#slivers.map(sourceOf), { ...options, from, to, signal }),
    )
  }

  /**
   * Start a program on every sliver, or on those in `on`: a run. The nodes start it, all at one time if `startAt` says so, keep its output and its exit codes, and end it when
   * its time is over, without a connection to them. What it writes to `/run/community-lab/measure` with `run="$COMMUNITY_LAB_RUN"` belongs to the run. Several `programs` can make one
   * run: a server on one sliver, a client on another. `lab.runs.get(name)` gets it in any kernel. Asked for again with the same options, it is the same run.
   *
   * @throws {@link LabError} LAB_RUN_EXISTS, LAB_RUN_TOO_MANY, LAB_RUN_TOO_LARGE, LAB_RUN_FILES_TOO_LARGE; LAB_ARGUMENT_INVALID, LAB_SLIVER_UNKNOWN.
   */
  run(name: string, options: RunOptions): Promise<Run>
  run(options: NamedRunOptions): Promise<Run>
  async run(first: string | NamedRunOptions, second?: RunOptions): Promise<Run> {
    const isNamed = typeof first === 'object' && second === undefined
    if (!isNamed) checkArgument('the options of run', second, anObject)
    // A call without types may give anything; what it gives is checked.
    const options = isNamed ? first : ({ ...second, name: first } as NamedRunOptions)
    checkRun(options)
    return this.#onSlivers(options, (signal) =>
      startRun(this.#session, this, { ...options, signal }),
    )
  }

  /**
   * Start a standard measurement: a run of the testbed whose programs are known.
   *
   * `rtt`: round-trip times by ICMPv6 echo from the slivers `from` (RFC 2681, RFC 6673). Each probe is a row of `rtt`: `rtt_s` (seconds; null, with `lost` true, when no
   * answer came within a second, or within the time between probes if that is longer), `seq_no`, `ttl`, `peer` (the name of the other node), `run`. The rows of `rtt_count`
   * count them for each pair at the end.
   *
   * `one-way`: delay, loss, reordering and duplicates in one direction by UDP packets with numbers (RFC 7679, RFC 7680, RFC 4737). Each packet is a row of `one_way` of the node that receives:
   * `delay_s`, by the clocks of both nodes as they were, `seq_no`, `lost`, `source` (the name of the node that has sent). The rows of `one_way_count` and `one_way_sent` count them.
   *
   * `throughput`: what goes from slivers to slivers, by iperf3: TCP, or UDP at a rate. One pair after the other, unless `parallel` is true. Each second is a row of `throughput`, each test one of
   * `throughput_test`: `bytes_per_second`, `retransmits`, `lost`; `error` says why one has failed.
   *
   * `path`: the hops from slivers to slivers, by traceroute with one flow label, in rounds. Each path of a round is a row of `path`, with `nodes` and `changed`; each hop a row of `path_hop`, with `lost` and `rtt_s`.
   *
   * `http`: fetches from a small server on other slivers (`to`), or of a `url` (RFC 9112; the phases of the W3C's Resource Timing). Each fetch is a row of `http`: `status`, `body_bytes`, `total_s`, and its parts `dns_s`, `connect_s`,
   * `tls_s`, `first_byte_s`, `receive_s`; `failed` and `error` say where a lost one ended and why. https needs curl in the template.
   *
   * `dns`: queries of a name to a DNS server (RFC 1035). Each is a row of `dns`: `response_s`, `rcode`, `answers`, `answer`, `ttl_s`, and `over` (`tcp` where an answer did not fit into UDP).
   *
   * `capture`: packets of the slivers' own interfaces, into a pcap file in each sliver, bounded by time, bytes and packets. Each second and protocol is a row of `capture`. The run
   * keeps the file: `run.file('capture.pcap', { sliver })`, of 32 MiB at most.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID, LAB_SLIVER_UNKNOWN, LAB_SLIVER_NO_ADDRESS; LAB_RUN_EXISTS, LAB_RUN_TOO_MANY.
   */
  async measure<Name extends MeasurementName>(
    name: Name,
    options: Measurements[Name]['options'] & MeasureOptions,
  ): Promise<Run<Measurements[Name]['tables']>> {
    checkMeasure(name, options)
    return this.#onSlivers(options, (signal) =>
      startMeasurement(this.#session, this, { measurement: name, options, signal }),
    )
  }

  /** Trace the route from one sliver to another. It is shown as a path of nodes. */
  async traceroute(
    from: SliverOrNode,
    to: SliverOrNode,
    options: TraceOptions = {},
  ): Promise<Route> {
    checkOptions('traceroute', options, traceKinds)
    return this.#onSlivers(options, (signal) => {
      const ends = { from: this.sliver(from), to: this.sliver(to) }
      return traceRoute(this.#session, { ...ends, ...options, signal })
    })
  }

  /** Return the sliver on a node. @throws {@link LabError} LAB_SLIVER_UNKNOWN; LAB_SLICE_GONE after `release`. */
  sliver(which: SliverOrNode): Sliver {
    this.#requireHeld()
    return findSliver(this.#slivers, which, this.name)
  }

  /**
   * Release the slice: its slivers end, and their resources are free for others. Its measurements stay. A slice that is gone already is no error. It also works
   * in an interrupted cell, so it can be used in `finally`.
   */
  async release(options: CallSignal = {}): Promise<void> {
    checkSignal('release', options)
    return cleanUp({ lab: this.#session.signal, signal: options.signal }, async (signal) => {
      const { http, pool } = this.#session
      pool.drop(this.#slivers.map(({ id }) => id))
      try {
        await http.tell(path(routes.slice, { id: this.id }), { method: 'DELETE', signal })
      } catch (error) {
        if (!LabError.is(error, 'LAB_NOT_FOUND')) throw error
      }
      this.#slivers = []
      this.#isReleased = true
    })
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { http } = this.#session
    const [slice, slivers] = await Promise.all([
      this.#orGone(http.ask(SliceObject, path(routes.slice, { id: this.id }), { signal })),
      readSlivers(this.#session, this.id, signal),
    ])
    this.#object = slice
    this.#isReleased = false
    this.#slivers = this.#makeSlivers(slivers)
  }

  #makeSlivers(objects: readonly SliverObject[]): readonly Sliver[] {
    const sliceInstanceSn = (): number => this.#object.instance_sn
    return makeSlivers({ session: this.#session, sliceInstanceSn }, objects, this.#slivers)
  }

  async #post(route: string, options: CallSignal): Promise<void> {
    const url = path(route, { id: this.id })
    this.#object = await this.#call(options, (signal) =>
      this.#orGone(this.#session.http.ask(SliceObject, url, { method: 'POST', signal })),
    )
  }

  /** Await an answer about the slice. @throws {@link LabError} LAB_SLICE_GONE when the server does not know the slice any more. */
  async #orGone<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (cause) {
      if (!LabError.is(cause, 'LAB_NOT_FOUND')) throw cause
      throw new LabError('LAB_SLICE_GONE', { slice: this.name }, { cause })
    }
  }

  #call<T>({ signal }: CallSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  /** @throws {@link LabError} LAB_SLICE_GONE after `release`. */
  async #onSlivers<T>(options: CallSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#requireHeld()
    return this.#call(options, work)
  }

  /** A released slice has no slivers, so a command on all of them would be done on none without a word. */
  #requireHeld(): void {
    if (this.#isReleased) throw new LabError('LAB_SLICE_GONE', { slice: this.name })
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
