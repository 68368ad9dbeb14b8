import { setTimeout as delay } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { askedDelayMs, backoffMs } from '@community-lab/contract'
import type { Spool } from '../spool/spool.ts'
import type { Poll } from './poll.ts'
import { runSession } from './session.ts'
import type { StreamClock } from './time-exchange.ts'

/** The delay before the node connects again. The jitter spreads the connections of many nodes. */
const backoff = { firstMs: 200, longestMs: 10_000, jitter: 0.5 }

/** Options of {@link createUplink}. */
export interface UplinkOptions {
  readonly spool: Spool
  /** The agent's version, which is sent in `hello`. */
  readonly softVersion: string
  /** Open the node's stream. Resolves with an open WebSocket. */
  readonly openStream: (signal: AbortSignal) => Promise<WebSocket>
  /** Called on each hint that the node's target has changed. */
  readonly onChanged: () => void
  /** Called each time the server has welcomed the node. Poll then, because hints may have been missed. */
  readonly onConnected?: () => void
  /** Called with the reason when a connection has ended or could not be opened. The next attempt follows. */
  readonly onDisconnected?: (error: unknown) => void
  /** Gets the server's time, where the server tells it. */
  readonly clock?: StreamClock
  readonly signal: AbortSignal
}

/** The node's stream to its server. It reconnects after each failure. */
export interface Uplink {
  /** Whether the server has welcomed the node on the current connection. */
  readonly isConnected: boolean
  /** Poll over the open connection, see {@link Poll}; null without a connection, or when its server does not answer polls. */
  readonly poll: Poll
  /** The network is back: unless the server has welcomed the node, abort the current attempt or delay, and connect now. */
  noteReachable(): void
  /** Close the connection and stay disconnected. Samples that were not acknowledged stay in the spool. */
  close(): Promise<void>
}

/**
 * Keep the node's stream open: send the spool's samples, trim the spool when the server acknowledges, and pass on the server's hints. After a connection breaks
 * or cannot be opened, the next attempt follows after 0.2 s, or when the server that refused it allows it. The delay doubles up to 10 s, with jitter. It is 0.2
 * s again after a welcome or when the network is back.
 */
export function createUplink(options: UplinkOptions): Uplink {
  const closed = new AbortController()
  const signal = AbortSignal.any([options.signal, closed.signal])
  let isConnected = false
  let poll: Poll | null = null
  let failures = 0
  let attempt = new AbortController()

  const isEnded = (): boolean => signal.aborted

  async function runOnce(): Promise<void> {
    const stream = await options.openStream(AbortSignal.any([signal, attempt.signal]))
    await runSession(stream, {
      spool: options.spool,
      softVersion: options.softVersion,
      onWelcome(given) {
        poll = given
        failures = 0
        isConnected = true
        options.onConnected?.()
      },
      onChanged: options.onChanged,
      clock: options.clock,
      signal,
    })
  }

  async function run(): Promise<void> {
    for (;;) {
      let reason: unknown = null
      attempt = new AbortController()
      try {
        await runOnce()
      } catch (error) {
        reason = error
      }
      isConnected = false
      poll = null
      if (isEnded()) return
      options.onDisconnected?.(reason)
      const either = AbortSignal.any([signal, attempt.signal])
      const waitMs = Math.max(askedDelayMs(reason), backoffMs(backoff, ++failures))
      await delay(waitMs, undefined, { signal: either }).catch(() => {
        // The uplink was closed, or the network is back: the delay ends in both cases.
      })
      if (isEnded()) return
    }
  }
  const ended = run()

  return {
    get isConnected() {
      return isConnected
    },
    poll: (has) => poll?.(has) ?? Promise.resolve(null),
    noteReachable() {
      if (isConnected) return
      failures = 0
      attempt.abort()
    },
    async close() {
      closed.abort()
      await ended
    },
  }
}
