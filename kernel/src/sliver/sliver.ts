import { inspect } from 'node:util'
import { LabError, type Sliver as SliverObject } from '@community-lab/contract'
import { displaySymbol, type Bundle } from '../display/bundle.ts'
import { tableBundle } from '../display/table.ts'
import type { Session } from '../session.ts'
import { execOn, type ExecOptions } from '../ssh/exec.ts'
import type { SshTarget } from '../ssh/pool.ts'
import { buildCommand, commandOf, type Argument } from '../ssh/quote.ts'
import type { CommandResult } from '../ssh/result.ts'

/** What a sliver is on its node. */
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
const connectEarly = Symbol('connect early')

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

  /** Run a command: its text is for the sliver's shell, each value exactly one argument. */
  sh(strings: TemplateStringsArray, ...values: readonly Argument[]): Promise<CommandResult> {
    return this.exec(buildCommand(strings, values))
  }

  /** Run a command line, or an argument vector. What fails there is in the result, never thrown. */
  exec(command: string | readonly string[], options: ExecOptions = {}): Promise<CommandResult> {
    return execOn(this.#session.pool, this.#target(), { ...options, command: commandOf(command) })
  }

  /** Take what the server has just told of it. */
  [update](object: SliverObject): void {
    this.#object = object
  }

  /** Connect before anything is to be run. */
  async [connectEarly](): Promise<void> {
    await this.#session.pool.connect(this.#target(), this.#session.signal)
  }

  #target(): SshTarget {
    const { id, node, state, hostKey } = this
    const startedOn = this.#object.actual?.started_on ?? null
    return { id, node, state, hostKey, startedOn }
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

/** Connect to a sliver, so that its first command need not wait for that. Settles in any case: what fails here is told by that command. */
export function connectSoon(sliver: Sliver): Promise<void> {
  return sliver[connectEarly]().catch(() => undefined)
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
