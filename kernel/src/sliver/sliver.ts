import { inspect } from 'node:util'
import { LabError, type Sliver as SliverObject } from '@community-lab/contract'
import { checkArgument, checkOptions, words } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import type { Session } from '../session.ts'
import { execKinds, execOn, type ExecOptions, type Execution } from '../ssh/exec.ts'
import type { SshTarget } from '../ssh/pool.ts'
import { commandOf, type Argument } from '../ssh/quote.ts'
import type { CommandResult } from '../ssh/result.ts'
import { runTemplate, type ShellTag } from '../ssh/template.ts'
import { call } from '../wait/call.ts'
import {
  checkDownload,
  download,
  readFile,
  type Download,
  type DownloadOptions,
  type DownloadSource,
} from './download.ts'

/** What a sliver is on its node. A newer server may know more. */
export type SliverState =
  | 'unknown'
  | 'registered'
  | 'allocated'
  | 'deployed'
  | 'started'
  | 'fail_allocate'
  | 'fail_deploy'
  | 'fail_start'

const update = Symbol('update')
const connection = Symbol('connection')
const isCurrentFor = Symbol('is current')

/** A slice's container on one node. Its members say what it was when it was last heard of. */
export class Sliver {
  readonly #session: Session
  #object: SliverObject

  constructor(session: Session, object: SliverObject) {
    this.#session = session
    this.#object = object
  }

  /** `slice@node`. */
  get id(): string {
    return this.#object.id
  }

  /** Its node's name. */
  get node(): string {
    return this.#object.node.name
  }

  get nodeId(): number {
    return this.#object.node.id
  }

  get state(): SliverState {
    return this.#object.state
  }

  /** What its node says is wrong with it. */
  get errors(): readonly string[] {
    const { errors, actual } = this.#object
    const all = [...errors, ...(actual?.errors ?? [])].map(({ message }) => message)
    return [...new Set(all)]
  }

  /**
   * Its address in the community network, which other slivers reach it at.
   *
   * @throws {@link LabError} LAB_SLIVER_NO_ADDRESS while it has none.
   */
  get address(): string {
    const address = this.maybeAddress
    if (address === null)
      throw new LabError('LAB_SLIVER_NO_ADDRESS', { sliver: this.id, node: this.node })
    return address
  }

  /** Its address in the community network, null while it has none. */
  get maybeAddress(): string | null {
    const found = this.#object.actual?.interfaces.find(({ type }) => type === 'public6')
    return found?.ipv6_addr ?? null
  }

  /** Its address in the management network, which only the server reaches. */
  get managementAddress(): string {
    return this.#object.mgmt_net.addr
  }

  /** Its SSH host key as its node published it, `ssh-ed25519 AAAA…`; null before it was started. */
  get hostKey(): string | null {
    return this.#object.actual?.ssh_host_key ?? null
  }

  /**
   * Run a command: its text is for the sliver's shell, each value exactly one argument. With options first, such as `` sh({ cwd: '/srv', timeoutMs: 5_000 })`make` ``.
   * What fails there is in the result, never thrown, unless `.orThrow()` is asked of it.
   */
  sh(options: ExecOptions): ShellTag<CommandResult>
  sh(strings: TemplateStringsArray, ...values: readonly Argument[]): Promise<CommandResult>
  sh(
    first: TemplateStringsArray | ExecOptions,
    ...values: readonly Argument[]
  ): Promise<CommandResult> | ShellTag<CommandResult> {
    return runTemplate((command, options) => this.exec(command, options), first, values)
  }

  /**
   * Run a command line, or an argument vector. What fails there is in the result, never thrown.
   *
   * It is over when its program ends. What it leaves in the background goes on; let that write to a file (`server > log 2>&1 &`), since nobody reads what it
   * prints any more.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID.
   */
  async exec(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): Promise<CommandResult> {
    checkOptions('a command', options, execKinds)
    return this.#call(options, (signal) =>
      runInside(this, commandOf(command), { ...options, signal }),
    )
  }

  /**
   * Read a file, up to 64 MiB.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when it cannot be read; LAB_DOWNLOAD_FAILED when it is longer.
   */
  async read(file: string, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    checkArgument('the path of the file', file, words)
    return this.#call(options, (signal) => readFile(sourceOf(this), file, signal))
  }

  /**
   * Take a file, or a folder with all that is in it, to this machine. A file goes to `to`, or into it where `to` is a folder; a folder's content goes into `to`, which is
   * made if it is not there. Files that are there already are replaced. Nothing is written outside `to`, whatever the sliver sends.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when it cannot be read; LAB_DOWNLOAD_FAILED when it cannot be kept.
   */
  async download(from: string, to: string, options: DownloadOptions = {}): Promise<Download> {
    checkDownload(from, to, options)
    return this.#call(options, (signal) =>
      download(sourceOf(this), { ...options, from, to, signal }),
    )
  }

  /** Take what the server has just told of it. */
  [update](object: SliverObject): void {
    this.#object = object
  }

  [isCurrentFor](sliceInstanceSn: number): boolean {
    const { actual, instance_sn: wanted } = this.#object
    if (actual === null) return true
    return actual.instance_sn === wanted && actual.slice_instance_sn >= sliceInstanceSn
  }

  /** How it is reached. */
  get [connection](): { readonly session: Session; readonly target: SshTarget } {
    const { id, node, state, hostKey } = this
    const startedOn = this.#object.actual?.started_on ?? null
    return { session: this.#session, target: { id, node, state, hostKey, startedOn } }
  }

  #call<T>(
    { signal }: { readonly signal?: AbortSignal },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return call({ lab: this.#session.signal, signal }, work)
  }

  [inspect.custom](): string {
    return `Sliver ${this.id} on ${this.node} (${this.state}${this.maybeAddress === null ? '' : `, ${this.maybeAddress}`})`
  }

  [displaySymbol](): Bundle {
    return { ...tableBundle([this], sliverColumns), 'text/plain': inspect(this) }
  }
}

/** Let a handle take what the server has told of its sliver. */
export function updateSliver(sliver: Sliver, object: SliverObject): void {
  sliver[update](object)
}

/** Run a command as a part of a call that is under way. See `Sliver.exec`. */
export function runInside(
  sliver: Sliver,
  command: string,
  options: Omit<Execution, 'command'>,
): Promise<CommandResult> {
  const { session, target } = sliver[connection]
  return execOn(session.pool, target, { ...options, command })
}

/** A sliver, as what files are taken from. */
export function sourceOf(sliver: Sliver): DownloadSource {
  const { id, node } = sliver
  return { id, node, run: (command, options) => runInside(sliver, command, options) }
}

/** Connect to a sliver, so that its first command need not wait for that. Settles in any case: what fails here is told by that command. */
export function connectSoon(sliver: Sliver): Promise<void> {
  const { session, target } = sliver[connection]
  return session.pool.warm(target)
}

/**
 * Whether what is known of a sliver is about the container that is wanted, and not about one that is still to be replaced. Each change of what a sliver needs
 * raises the sliver's `instance_sn`, each reset the slice's.
 */
export function isCurrent(sliver: Sliver, sliceInstanceSn: number): boolean {
  return sliver[isCurrentFor](sliceInstanceSn)
}

/** A sliver, for errors that list several. */
export function troubleOf(sliver: Sliver): {
  sliver: string
  node: string
  state: string
  reason: string
} {
  const { id, node, state, errors } = sliver
  return { sliver: id, node, state, reason: errors.join('; ') }
}

/** How slivers are shown. */
export const sliverColumns = [
  { name: 'node', value: ({ node }: Sliver) => node },
  { name: 'sliver', value: ({ id }: Sliver) => id },
  { name: 'state', value: ({ state }: Sliver) => state },
  { name: 'address', value: ({ maybeAddress }: Sliver) => maybeAddress },
] as const
