import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, LabError, messageOf } from '@community-lab/contract'
import { Value } from 'typebox/value'
import {
  GatewayAnswer,
  GatewayEvent,
  type GatewayRequest,
  type GatewayStatus,
} from '../gateway/protocol.ts'

/** Options of {@link connectGateway}. */
export interface GatewayClientOptions {
  readonly socket: string
  /** Called after each connection. The gateway may have been restarted since the last one. */
  readonly onConnected: () => void
  readonly onEvent: (event: GatewayEvent) => void
  readonly onLost: (reason: string) => void
  readonly signal: AbortSignal
}

/** The server's connection to the gateway. A broken connection is made again. */
export interface GatewayClient {
  readonly connected: boolean
  /**
   * Ask the gateway, and wait for its answer.
   *
   * @throws {@link LabError} LAB_GATEWAY_UNAVAILABLE without a connection or an answer in 15 s, LAB_GATEWAY_REFUSED when it says no.
   */
  ask(what: Omit<GatewayRequest, 'id'>): Promise<GatewayStatus>
  /** Settles when the signal is aborted and the connection is closed. */
  readonly ended: Promise<void>
}

const answerWithinMs = 15_000
const backoff = { firstMs: 100, longestMs: 5_000 }
/** After a connection that lasted this long, in milliseconds, the delays between attempts begin at the shortest again. */
const steadyMs = 5_000

interface Waiting {
  readonly resolve: (status: GatewayStatus) => void
  readonly reject: (error: LabError) => void
}

/** Keep a connection to the gateway's socket. While it fails, it is tried again after 0.1 s, then after delays that double up to 5 s. */
export function connectGateway(options: GatewayClientOptions): GatewayClient {
  const waiting = new Map<number, Waiting>()
  let socket: Socket | null = null
  let lastId = 0

  function unavailable(reason: string): LabError {
    return new LabError('LAB_GATEWAY_UNAVAILABLE', { socket: options.socket, reason })
  }

  function readLine(line: string): void {
    const value: unknown = JSON.parse(line)
    if (Value.Check(GatewayEvent, value)) {
      options.onEvent(value)
      return
    }
    if (!Value.Check(GatewayAnswer, value)) throw new RangeError('not a line of this protocol')
    const asker = value.id === undefined ? undefined : waiting.get(value.id)
    if (value.ok) asker?.resolve(value.status)
    else asker?.reject(new LabError('LAB_GATEWAY_REFUSED', { reason: value.reason }))
  }

  async function connectOnce(): Promise<void> {
    const opened = connect(options.socket)
    const abort = (): void => void opened.destroy()
    options.signal.addEventListener('abort', abort)
    try {
      await once(opened, 'connect', { signal: options.signal })
      const lines = createInterface({ input: opened }).on('line', (line) => {
        try {
          readLine(line)
        } catch (error) {
          opened.destroy(error instanceof Error ? error : undefined)
        }
      })
      // The reader of lines repeats the socket's error, which is waited for below. Without a listener here it would end the process.
      lines.on('error', () => undefined)
      socket = opened
      options.onConnected()
      await once(opened, 'close')
    } finally {
      options.signal.removeEventListener('abort', abort)
      opened.destroy()
      socket = null
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!options.signal.aborted) {
      const startedMs = performance.now()
      const reason = await connectOnce().then(() => 'it closed the connection', messageOf)
      for (const asker of waiting.values()) asker.reject(unavailable(reason))
      options.onLost(reason)
      failures = performance.now() - startedMs > steadyMs ? 1 : failures + 1
      await delay(backoffMs(backoff, failures), undefined, { signal: options.signal }).catch(() => {
        // The signal was aborted: the loop's condition ends the loop.
      })
    }
  }

  async function ask(what: Omit<GatewayRequest, 'id'>): Promise<GatewayStatus> {
    const line = socket
    if (line === null) throw unavailable('not connected')
    const id = ++lastId
    const answer = Promise.withResolvers<GatewayStatus>()
    waiting.set(id, answer)
    const late = setTimeout(
      () => answer.reject(unavailable(`no answer in ${answerWithinMs} ms`)),
      answerWithinMs,
    )
    try {
      line.write(`${JSON.stringify({ ...what, id } satisfies GatewayRequest)}\n`)
      return await answer.promise
    } finally {
      clearTimeout(late)
      waiting.delete(id)
    }
  }

  return {
    get connected() {
      return socket !== null
    },
    ask,
    ended: run(),
  }
}
