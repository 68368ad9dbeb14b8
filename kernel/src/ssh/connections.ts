import { LabError } from '@community-lab/contract'
import { orAborted } from '../wait/signal.ts'
import type { SshConnection } from './connection.ts'

/** A connection that is lent for one command. */
export interface Lease {
  readonly connection: SshConnection
  /** The number of other commands that run on the sliver now. */
  readonly others: number
  /** Return the connection. */
  end(state: LeaseEnd): void
}

/**
 * The state in which a connection is returned. `free`: the sliver reported that the command on it has ended. `refused`: the sliver could not start the command.
 * `lost`: it is not known what becomes of the command.
 */
export type LeaseEnd = 'free' | 'refused' | 'lost'

/** Options of {@link SliverConnections}. */
export interface ConnectionsOptions {
  readonly sliver: string
  readonly node: string
  /** Open a connection. */
  dial(): Promise<SshConnection>
}

/** Options of {@link SliverConnections.lease}. */
export interface LeaseOptions {
  readonly signal: AbortSignal
  /** When the command began to wait (`performance.now()`); default: now. */
  readonly since?: number
}

/** Up to this many connections are opened as soon as commands wait for them. */
const fastConnections = 8
/** Beyond that, one more is opened each time this has passed, because commands without an end must not block others. */
const slowMs = 250
const maxConnections = 100
/**
 * For this long after a sliver could not start a command, no more connections are opened: each needs a process of the sliver. A first connection is always
 * tried.
 */
const outOfProcessesMs = 3_000
/**
 * The most connections that are opened at the same time. Source: dropbear refuses the sixth unauthenticated one from an address, and all come from the server's
 * address.
 */
const dialsAtOnce = 3
/** When no connection can be opened and no command has ended for this long, waiting commands fail. */
const patienceMs = 10_000
/** Idle connections except one are closed when this has passed. */
const idleMs = 10_000

interface Waiter {
  readonly since: number
  take(connection: SshConnection): void
  fail(error: unknown): void
}

/**
 * The connections to one sliver. Each carries one command at a time. More commands wait, first come, first served.
 *
 * A connection carries only one command because of a defect of dropbear before 2024.84: when one program of a connection ends, it closes the channel of another
 * whose program is not requested yet, but still runs that program; then the connection fails with all its commands. Source: its commit 71521d1b, "Don't close
 * channels when a PID hasn't started".
 */
export class SliverConnections {
  readonly #options: ConnectionsOptions
  readonly #idle: SshConnection[] = []
  readonly #waiting = new Set<Waiter>()
  #open = 0
  #busy = 0
  #dialing = 0
  #isClosed = false
  /** When the last command ended. */
  #lastEndedAt = 0
  #refusedAt = -Infinity
  #refusal: unknown = null
  #slowTimer: NodeJS.Timeout | null = null
  #idleTimer: NodeJS.Timeout | null = null

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Open a first connection in advance. Never rejects: the first command reports a failure. */
  async warm(): Promise<void> {
    if (this.#open + this.#dialing === 0 && !this.#isClosed) await this.#dialOne()
  }

  /** Wait for an exclusive connection. Rejects with the signal's reason when it is aborted, or with the reason why no connection can be opened. */
  async lease({ signal, since = performance.now() }: LeaseOptions): Promise<Lease> {
    const connection = await this.#next(signal, since)
    this.#busy += 1
    let ended = false
    return {
      connection,
      others: this.#busy - 1,
      end: (state) => {
        if (ended) return
        ended = true
        this.#busy -= 1
        if (state === 'refused') this.#refusedAt = performance.now()
        else this.#lastEndedAt = performance.now()
        if (state === 'free' && connection.open && !this.#isClosed) this.#handOut(connection)
        // Close a connection on which a command was refused: it uses a process of the sliver, which has none left.
        else if (connection.open) connection.close()
        // The idle connections are probably broken for the same reason.
        else this.#closeIdle(this.#idle.length)
      },
    }
  }

  /** Close all connections. Running commands are lost, and waiting ones fail. */
  close(reason: unknown): void {
    this.#isClosed = true
    this.#closeIdle(this.#idle.length)
    for (const waiter of this.#waiting) waiter.fail(reason)
    this.#waiting.clear()
    this.#stopSlowTimer()
  }

  async #next(signal: AbortSignal, since: number): Promise<SshConnection> {
    signal.throwIfAborted()
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop())
      if (idle.open) return idle
    const connected = Promise.withResolvers<SshConnection>()
    const waiter: Waiter = { since, take: connected.resolve, fail: connected.reject }
    this.#waiting.add(waiter)
    this.#dial()
    this.#slowTimer ??= setInterval(() => this.#dialSlowly(), slowMs)
    try {
      return await orAborted(connected.promise, signal)
    } catch (error) {
      // A connection that arrived at the same moment goes to the next waiter.
      if (!this.#waiting.delete(waiter))
        connected.promise.then((got) => this.#handOut(got)).catch(ignore)
      throw error
    } finally {
      this.#stopSlowTimer()
    }
  }

  /** Open as many connections as are waited for, within the limits. */
  #dial(): void {
    if (this.#isOutOfProcesses()) return
    const wanted = Math.min(this.#waiting.size - this.#dialing, dialsAtOnce - this.#dialing)
    const allowed = fastConnections - this.#open - this.#dialing
    for (let count = Math.min(wanted, allowed); count > 0; count--) void this.#dialOne()
  }

  #dialSlowly(): void {
    const now = performance.now()
    const isRefused = this.#refusedAt > this.#lastEndedAt || this.#refusal !== null
    const isBlocked = isRefused && this.#open > 0
    for (const waiter of this.#waiting) {
      const since = Math.max(waiter.since, this.#lastEndedAt)
      if (!isBlocked || now - since < patienceMs) break
      this.#waiting.delete(waiter)
      waiter.fail(this.#notStarted())
    }
    const mayMore = this.#dialing === 0 && this.#open < maxConnections && !this.#isOutOfProcesses()
    if (this.#waiting.size > 0 && mayMore) void this.#dialOne()
  }

  /** Tell whether the sliver could not start a command a moment ago. Without any open connection it is tried again at once. */
  #isOutOfProcesses(): boolean {
    return this.#open > 0 && performance.now() - this.#refusedAt < outOfProcessesMs
  }

  async #dialOne(): Promise<void> {
    this.#dialing += 1
    try {
      const connection = await this.#options.dial()
      this.#open += 1
      this.#refusal = null
      connection.onEnd(() => (this.#open -= 1))
      this.#dialing -= 1
      if (this.#isClosed) connection.close()
      else this.#handOut(connection)
    } catch (error) {
      this.#dialing -= 1
      this.#refusal = error
      // Waiting commands get an open connection when one is free. If there is none, they would wait for ever, so they fail.
      if (this.#open + this.#dialing > 0) return
      for (const waiter of this.#waiting) waiter.fail(error)
      this.#waiting.clear()
      return
    }
    this.#dial()
  }

  #handOut(connection: SshConnection): void {
    const [first] = this.#waiting
    if (first !== undefined) {
      this.#waiting.delete(first)
      first.take(connection)
      return
    }
    this.#idle.push(connection)
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = null
      this.#closeIdle(this.#idle.length - 1)
    }, idleMs).unref()
  }

  /** Close the connections that were idle for longest. */
  #closeIdle(count: number): void {
    for (const connection of this.#idle.splice(0, Math.max(0, count))) connection.close()
  }

  #stopSlowTimer(): void {
    if (this.#waiting.size > 0 || this.#slowTimer === null) return
    clearInterval(this.#slowTimer)
    this.#slowTimer = null
  }

  /** Return the error of commands that are given up. */
  #notStarted(): LabError {
    const { sliver, node } = this.#options
    // The sliver did not refuse the connection: it could not be reached, or the server is away. A running command may not have noticed yet.
    if (LabError.is(this.#refusal) && this.#refusal.code !== 'LAB_SSH_FAILED') return this.#refusal
    const details = { sliver, node, running: this.#busy }
    return new LabError('LAB_COMMAND_NOT_STARTED', details, { cause: this.#refusal })
  }
}

/** Ignore a rejection that the waiters have received already. */
function ignore(): void {
  return
}
