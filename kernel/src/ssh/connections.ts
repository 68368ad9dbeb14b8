import { LabError } from '@community-lab/contract'
import { orAborted } from '../wait/signal.ts'
import type { SshConnection } from './connection.ts'

/** A connection for one command. */
export interface Lease {
  readonly connection: SshConnection
  /** How many other commands run on the sliver now. */
  readonly others: number
  /** Give it back. */
  end(state: LeaseEnd): void
}

/**
 * How a connection comes back. `free`: the sliver has said that the command on it has ended. `refused`: the sliver could not start the command. `lost`: nobody knows
 * what becomes of the command.
 */
export type LeaseEnd = 'free' | 'refused' | 'lost'

/** What {@link SliverConnections} needs. */
export interface ConnectionsOptions {
  readonly sliver: string
  readonly node: string
  /** Make a connection. */
  dial(): Promise<SshConnection>
}

/** Options of {@link SliverConnections.lease}. */
export interface LeaseOptions {
  readonly signal: AbortSignal
  /** Since when the command waits (`performance.now()`); default: now. */
  readonly since?: number
}

/** How many connections are made as they are needed; beyond that they are made slowly. */
const fastConnections = 8
/** Beyond those, one more is made each time this has passed: commands without an end must not hold back the others. */
const slowMs = 250
const maxConnections = 100
/** How long a sliver that could not start a command is taken to have no process left: no connection more is made while there is one. */
const fullMs = 3_000
/** How many are made at the same time. Source: dropbear refuses the sixth that has not authenticated from one address, and all come from the server's. */
const dialsAtOnce = 3
/** When no connection more can be had and no command has ended for this long, those that wait are given up. */
const patienceMs = 10_000
/** Each time this has passed, those that nobody uses are closed, but for one. */
const idleMs = 10_000

interface Waiter {
  readonly since: number
  take(connection: SshConnection): void
  fail(error: unknown): void
}

/**
 * The connections to one sliver. Each carries one command at a time; commands beyond that wait for their turn, first come, first served.
 *
 * Why one at a time: dropbear before 2024.84 closes a channel whose program is not asked for yet when another program of the same connection ends, and runs the
 * program nevertheless; the connection then fails with all it carries. Source: its commit 71521d1b, "Don't close channels when a PID hasn't started".
 */
export class SliverConnections {
  readonly #options: ConnectionsOptions
  readonly #idle: SshConnection[] = []
  readonly #waiting = new Set<Waiter>()
  #open = 0
  #busy = 0
  #dialing = 0
  #isClosed = false
  /** When a command has ended last. */
  #movedAt = 0
  #refusedAt = -Infinity
  #refusal: unknown = null
  #slow: NodeJS.Timeout | null = null
  #unused: NodeJS.Timeout | null = null

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Make a connection before it is needed, where there is none. Settles in any case: what fails here is told by the first command. */
  async warm(): Promise<void> {
    if (this.#open + this.#dialing === 0 && !this.#isClosed) await this.#dialOne()
  }

  /** Wait for a connection of one's own. Rejects with the signal's reason when it is aborted, or with why none can be made. */
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
        else this.#movedAt = performance.now()
        if (state === 'free' && connection.open && !this.#isClosed) this.#give(connection)
        // A connection on which a command was refused is closed too: each connection takes a process of the sliver, which has none left.
        else if (connection.open) connection.close()
        // Whatever broke this connection has probably broken the idle ones as well.
        else this.#closeIdle(this.#idle.length)
      },
    }
  }

  /** Close all of them. Commands under way are lost, those that wait fail. */
  close(reason: unknown): void {
    this.#isClosed = true
    this.#closeIdle(this.#idle.length)
    for (const waiter of this.#waiting) waiter.fail(reason)
    this.#waiting.clear()
    this.#rest()
  }

  async #next(signal: AbortSignal, since: number): Promise<SshConnection> {
    signal.throwIfAborted()
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop())
      if (idle.open) return idle
    const turn = Promise.withResolvers<SshConnection>()
    const waiter: Waiter = { since, take: turn.resolve, fail: turn.reject }
    this.#waiting.add(waiter)
    this.#dial()
    this.#slow ??= setInterval(() => this.#dialSlowly(), slowMs)
    try {
      return await orAborted(turn.promise, signal)
    } catch (error) {
      // A connection that came in the same moment is for the next in turn.
      if (!this.#waiting.delete(waiter)) turn.promise.then((got) => this.#give(got)).catch(ignore)
      throw error
    } finally {
      this.#rest()
    }
  }

  /** Make as many connections as are waited for, within the bounds. */
  #dial(): void {
    if (this.#isFull()) return
    const wanted = Math.min(this.#waiting.size - this.#dialing, dialsAtOnce - this.#dialing)
    const allowed = fastConnections - this.#open - this.#dialing
    for (let count = Math.min(wanted, allowed); count > 0; count--) void this.#dialOne()
  }

  #dialSlowly(): void {
    const now = performance.now()
    const isRefused = this.#refusedAt > this.#movedAt || this.#refusal !== null
    const isStuck = isRefused && this.#open > 0
    for (const waiter of this.#waiting) {
      const since = Math.max(waiter.since, this.#movedAt)
      if (!isStuck || now - since < patienceMs) break
      this.#waiting.delete(waiter)
      waiter.fail(this.#notStarted())
    }
    const mayMore = this.#dialing === 0 && this.#open < maxConnections && !this.#isFull()
    if (this.#waiting.size > 0 && mayMore) void this.#dialOne()
  }

  /** Whether the sliver could not start a command a moment ago; without any connection it is tried again at once. */
  #isFull(): boolean {
    return this.#open > 0 && performance.now() - this.#refusedAt < fullMs
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
      else this.#give(connection)
    } catch (error) {
      this.#dialing -= 1
      this.#refusal = error
      // Commands that wait get one of the open connections when it is free. Without any connection they would wait for ever, so they fail.
      if (this.#open + this.#dialing > 0) return
      for (const waiter of this.#waiting) waiter.fail(error)
      this.#waiting.clear()
      return
    }
    this.#dial()
  }

  #give(connection: SshConnection): void {
    const [first] = this.#waiting
    if (first !== undefined) {
      this.#waiting.delete(first)
      first.take(connection)
      return
    }
    this.#idle.push(connection)
    this.#unused ??= setTimeout(() => {
      this.#unused = null
      this.#closeIdle(this.#idle.length - 1)
    }, idleMs).unref()
  }

  /** Close the connections that were not used for longest. */
  #closeIdle(count: number): void {
    for (const connection of this.#idle.splice(0, Math.max(0, count))) connection.close()
  }

  #rest(): void {
    if (this.#waiting.size > 0 || this.#slow === null) return
    clearInterval(this.#slow)
    this.#slow = null
  }

  /** Why what waits is given up. */
  #notStarted(): LabError {
    const { sliver, node } = this.#options
    // Not the sliver has refused the connection: it was not reached, or the server is away. A command that runs there has perhaps not noticed yet.
    if (LabError.is(this.#refusal) && this.#refusal.code !== 'LAB_SSH_FAILED') return this.#refusal
    const details = { sliver, node, running: this.#busy }
    return new LabError('LAB_COMMAND_NOT_STARTED', details, { cause: this.#refusal })
  }
}

/** Ignore a rejection that those who wait have received already. */
function ignore(): void {
  return
}
