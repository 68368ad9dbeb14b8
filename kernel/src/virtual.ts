import { inspect } from 'node:util'
import {
  vctNodeActions,
  vctServerActions,
  VctStatus,
  type VctNodeAction,
  type VctServerAction,
} from '@community-lab/contract'
import { aNumber, anObject, checkArgument, checkSignal, oneOf, words } from './argument.ts'
import type { HttpClient } from './http/client.ts'
import type { Session } from './session.ts'
import { call, cleanUp } from './wait/call.ts'

/** The state of a virtual testbed. */
export interface VirtualStatus {
  readonly state: 'starting' | 'running' | 'stopping'
  readonly nodes: readonly VirtualNode[]
  readonly links: readonly VirtualLink[]
  /** What this machine cannot do: one sentence each. */
  readonly lacks: readonly string[]
}

/** A virtual node. */
export interface VirtualNode {
  readonly name: string
  readonly power: 'on' | 'off'
  readonly links: 'up' | 'cut'
  readonly community_addr: string
}

/** A link of the virtual community network. */
export interface VirtualLink {
  readonly a: string
  readonly b: string
  readonly rate_mbps: number
  /** In one direction, in milliseconds. */
  readonly delay_ms: number
  readonly loss_pct: number
  readonly state: 'up' | 'cut'
}

/** Options of calls of a virtual testbed. */
export interface VirtualOptions {
  readonly signal?: AbortSignal
}

/** An action is answered when it is complete. Starting a node takes some seconds. */
const timeoutMs = 60_000

/** The virtual testbed on this machine. Its links and nodes can be broken and restored. Each call ends when its action is complete. */
export class VirtualTestbed {
  readonly #session: Session
  readonly #control: HttpClient

  /** @throws {@link LabError} LAB_NOT_VIRTUAL. */
  constructor(session: Session) {
    this.#session = session
    this.#control = session.control()
  }

  /** Read the state of its nodes and links. */
  async status(options: VirtualOptions = {}): Promise<VirtualStatus> {
    checkSignal('status', options)
    const { signal: lab } = this.#session
    return call({ lab, signal: options.signal }, (signal) => readStatus(this.#control, signal))
  }

  /** Take a link down: no packet passes it. @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such link. */
  async cutLink(a: string, b: string, options: VirtualOptions = {}): Promise<void> {
    checkLink('cutLink', { a, b, options })
    return this.#act(['links', a, b, 'cut'], options)
  }

  /** Bring a link up again. It also works in an interrupted cell. @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such link. */
  async restoreLink(a: string, b: string, options: VirtualOptions = {}): Promise<void> {
    checkLink('restoreLink', { a, b, options })
    return this.#mend(['links', a, b, 'restore'], options)
  }

  /**
   * Act on a node. `stop` powers it off. `cut` takes all its links down. `start` undoes both, also in an interrupted cell. `reboot` ends all its processes and
   * starts it again. `kill-agent` kills its agent, which is started again.
   *
   * @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such node.
   */
  async node(name: string, action: VctNodeAction, options: VirtualOptions = {}): Promise<void> {
    checkArgument("the node's name", name, words)
    checkArgument('what to do to the node', action, oneOf(...vctNodeActions))
    checkSignal('node', options)
    const act = action === 'start' ? this.#mend : this.#act
    return act.call(this, ['nodes', name, action], options)
  }

  /**
   * Set a node's wall clock, as an operator or NTP would: `aheadS` is how far it is ahead of this machine's from now on, in seconds. `driftPpm` is how much faster the node's clocks
   * run, in parts per million, from its next start on; 0 if it is not given. Programs in slivers go on to see this machine's clock: Linux has no wall clock for some processes alone.
   * So `clock_offset_s` of their rows, which is for the clock of the node, does not correct what they read, and delays in one direction are wrong by `aheadS`.
   *
   * @throws {@link LabError} LAB_VCT_UNKNOWN when there is no such node; LAB_VCT_USAGE for a clock that is out of range.
   */
  async setClock(
    name: string,
    clock: { readonly aheadS: number; readonly driftPpm?: number },
    options: VirtualOptions = {},
  ): Promise<void> {
    checkArgument("the node's name", name, words)
    checkArgument('the clock', clock, anObject)
    const { aheadS, driftPpm = 0 } = clock
    checkArgument('how far the clock is ahead, in seconds', aheadS, aNumber)
    checkArgument('how much faster the clock runs, in parts per million', driftPpm, aNumber)
    checkSignal('setClock', options)
    return this.#act(['nodes', name, 'clock', String(aheadS), String(driftPpm)], options)
  }

  /** Kill, stop or start the testbed's server. */
  async server(action: VctServerAction, options: VirtualOptions = {}): Promise<void> {
    checkArgument('what to do to the server', action, oneOf(...vctServerActions))
    checkSignal('server', options)
    const act = action === 'start' ? this.#mend : this.#act
    return act.call(this, ['server', action], options)
  }

  #act(parts: readonly string[], { signal }: VirtualOptions): Promise<void> {
    return call({ lab: this.#session.signal, signal }, (until) => this.#post(parts, until))
  }

  #mend(parts: readonly string[], { signal }: VirtualOptions): Promise<void> {
    return cleanUp({ lab: this.#session.signal, signal }, (until) => this.#post(parts, until))
  }

  #post(parts: readonly string[], signal: AbortSignal): Promise<void> {
    const path = `/${parts.map(encodeURIComponent).join('/')}`
    return this.#control.tell(path, { method: 'POST', timeoutMs, signal })
  }

  [inspect.custom](): string {
    return 'VirtualTestbed: await virtual.status() reads its nodes and links; cutLink, restoreLink, node, setClock and server change them'
  }
}

interface LinkArguments {
  readonly a: unknown
  readonly b: unknown
  readonly options: unknown
}

function checkLink(call: string, { a, b, options }: LinkArguments): void {
  for (const end of [a, b]) checkArgument('the name of a node at an end of the link', end, words)
  checkSignal(call, options)
}

/** Read the state of a virtual testbed. */
export function readStatus(control: HttpClient, signal: AbortSignal): Promise<VirtualStatus> {
  return control.ask(VctStatus, '/status', { signal })
}
