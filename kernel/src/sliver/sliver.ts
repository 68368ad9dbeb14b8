import { inspect } from 'node:util'
import { LabError, type Sliver as SliverObject } from '@community-lab/contract'
import { checkArgument, checkSignal, words } from '../argument.ts'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import type { Session } from '../session.ts'
import { checkExecOptions, execOn, type ExecOptions, type Execution } from '../ssh/exec.ts'
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

/** The state of a sliver on its node. A newer server may have more states. */
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
const isCurrentNow = Symbol('is current')

/** A sliver: the container of a slice on one node. Its members are as the server last reported them. */
export class Sliver {
  readonly #session: Session
  readonly #sliceInstanceSn: () => number
  #object: SliverObject

  /** @param sliceInstanceSn - returns the number of resets of all slivers of its slice. */
  constructor(session: Session, object: SliverObject, sliceInstanceSn: () => number) {
    this.#session = session
    this.#sliceInstanceSn = sliceInstanceSn
    this.#object = object
  }

  /** `slice@node`. */
  get id(): string {
    return this.#object.id
  }

  /** The name of its node. */
  get node(): string {
    return this.#object.node.name
  }

  get nodeId(): number {
    return this.#object.node.id
  }

  get state(): SliverState {
    return this.#object.state
  }

  /** The errors that its node reports. */
  get errors(): readonly string[] {
    const { errors, actual } = this.#object
    const all = [...errors, ...(actual?.errors ?? [])].map(({ message }) => message)
    return [...new Set(all)]
  }

  /**
   * Its address in the community network, at which other slivers reach it.
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

  /** Its address in the management network, which only the server and hosts (`community-lab host add`) can reach. */
  get managementAddress(): string {
    return this.#object.mgmt_net.addr
  }

  /** Its SSH host key as published by its node, `ssh-ed25519 AAAA…`; null before its first start. */
  get hostKey(): string | null {
    return this.#object.actual?.ssh_host_key ?? null
  }

  /**
   * Run a command. The text of the template is for the shell of the sliver; each value becomes exactly one argument. Options come first, as in `` sh({ cwd:
   * '/srv', timeoutMs: 5_000 })`make` ``. A failure is in the result and is thrown only by `.orThrow()`.
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
   * Run a command line, or a list of arguments. A failure is in the result and is not thrown.
   *
   * The call ends when the program ends. Its background processes go on. Redirect their output to a file (`server > log 2>&1 &`), because nothing reads it any
   * more.
   *
   * @throws {@link LabError} LAB_ARGUMENT_INVALID.
   */
  async exec(
    command: string | readonly string[],
    options: ExecOptions = {},
  ): Promise<CommandResult> {
    checkExecOptions(options)
    return this.#call(options, (signal) =>
      runInside(this, commandOf(command), { ...options, signal }),
    )
  }

  /**
   * Read a file of up to 64 MiB.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when it cannot be read; LAB_DOWNLOAD_FAILED when it is longer.
   */
  async read(file: string, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    checkArgument('the path of the file', file, words)
    checkSignal('read', options)
    return this.#call(options, (signal) => readFile(sourceOf(this), file, signal))
  }

  /**
   * Take a file, or a folder with its content, to this machine. A file becomes `to`, or goes into `to` if that is a folder. The content of a folder goes into
   * `to`, which is made if it does not exist. Existing files are replaced. Nothing is written outside of `to`, whatever the sliver sends.
   *
   * @throws {@link LabError} LAB_COMMAND_FAILED when it cannot be read; LAB_DOWNLOAD_FAILED when it cannot be stored.
   */
  async download(from: string, to: string, options: DownloadOptions = {}): Promise<Download> {
    checkDownload(from, to, options)
    return this.#call(options, (signal) =>
      download(sourceOf(this), { ...options, from, to, signal }),
    )
  }

  /** Store the state that the server has reported. */
  [update](object: SliverObject): void {
    this.#object = object
  }

  get [isCurrentNow](): boolean {
    const { actual, instance_sn: wanted } = this.#object
    if (actual === null) return true
    return actual.instance_sn === wanted && actual.slice_instance_sn >= this.#sliceInstanceSn()
  }

  /** The session and the address for SSH. A container that is about to be replaced has none: what is done in it would be lost. */
  get [connection](): { readonly session: Session; readonly target: SshTarget } {
    const { id, node } = this
    const state = describeState(this)
    const hostKey = this[isCurrentNow] ? this.hostKey : null
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

/** Update a sliver's handle with the state that the server has reported. */
export function updateSliver(sliver: Sliver, object: SliverObject): void {
  sliver[update](object)
}

/** Run a command as part of another public call, whose signal it uses. See `Sliver.exec`. */
export function runInside(
  sliver: Sliver,
  command: string,
  options: Omit<Execution, 'command'>,
): Promise<CommandResult> {
  const { session, target } = sliver[connection]
  return execOn(session.pool, target, { ...options, command })
}

/** Return a sliver as the source of downloads. */
export function sourceOf(sliver: Sliver): DownloadSource {
  const { id, node } = sliver
  return { id, node, run: (command, options) => runInside(sliver, command, options) }
}

/** Connect to a sliver in advance, so that its first command need not wait. Never rejects: the command reports a failure. */
export function connectSoon(sliver: Sliver): Promise<void> {
  const { session, target } = sliver[connection]
  return session.pool.warm(target)
}

/**
 * Tell whether the reported state is that of the current container, not of one that is about to be replaced. Each change of a sliver's requirements raises its
 * `instance_sn`; each reset raises that of the slice.
 */
export function isCurrent(sliver: Sliver): boolean {
  return sliver[isCurrentNow]
}

/** Describe the state of a sliver. The description tells a container that is about to be replaced from the current one. */
export function describeState(sliver: Sliver): string {
  return isCurrent(sliver) ? sliver.state : `${sliver.state}, to be made again`
}

/** Describe a sliver for errors that list several. */
export function describeProblem(sliver: Sliver): {
  sliver: string
  node: string
  state: string
  reason: string
} {
  const { id, node, state, errors } = sliver
  return { sliver: id, node, state, reason: errors.join('; ') }
}

/** The columns of a table of slivers. */
export const sliverColumns = [
  { name: 'node', value: ({ node }: Sliver) => node },
  { name: 'sliver', value: ({ id }: Sliver) => id },
  { name: 'state', value: ({ state }: Sliver) => state },
  { name: 'address', value: ({ maybeAddress }: Sliver) => maybeAddress },
] as const
