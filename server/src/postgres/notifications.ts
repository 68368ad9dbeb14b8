import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from './database.ts'

/** PostgreSQL's notifications, over one connection for all listeners. */
export interface Notifications extends AsyncDisposable {
  /**
   * Call back with each message of a channel, and with null when messages may have been missed: at the start, and after the connection was lost. Returns a
   * function that ends this.
   */
  on(channel: Channel, listener: (message: string | null) => void): () => void
}

/** The channels of the registry. */
export const channels = {
  /** There is a new event. */
  event: 'community_lab_event',
  /** There is a mail to send. */
  mail: 'community_lab_mail',
  /** Tokens were revoked. The message has their ids, separated by commas. Servers of an earlier version listen to this name, too. */
  revokedTokens: 'community_lab_void_tokens',
} as const
export type Channel = (typeof channels)[keyof typeof channels]

/** Options of {@link openNotifications}. */
export interface NotificationOptions {
  readonly database: Pick<Database, 'connect'>
  readonly onError: (error: unknown) => void
  /** The interval at which the connection is checked, in milliseconds; default 10 s. */
  readonly heartbeatMs?: number
}

const againAfterMs = 500

/**
 * Listen. A connection that is lost is made again, and so is one that has gone silent: otherwise nobody would notice that no notifications arrive any more.
 */
export async function openNotifications(options: NotificationOptions): Promise<Notifications> {
  const { database, onError, heartbeatMs = 10_000 } = options
  const listeners = new Map<string, Set<(message: string | null) => void>>()
  const ending = new AbortController()
  const { signal } = ending
  const isEnding = (): boolean => signal.aborted

  function tell(channel: string, message: string | null): void {
    for (const listener of listeners.get(channel) ?? []) listener(message)
  }

  type Client = Awaited<ReturnType<Database['connect']>>
  async function listen(): Promise<Client> {
    const client = await database.connect({ queryTimeoutMs: heartbeatMs })
    try {
      client.on('notification', ({ channel, payload = '' }) => tell(channel, payload))
      for (const channel of Object.values(channels)) await client.query(`listen ${channel}`)
      for (const channel of Object.values(channels)) tell(channel, null)
      return client
    } catch (error) {
      await drop(client)
      throw error
    }
  }

  /** Wait until a connection is lost or silent. */
  async function watch(client: Client): Promise<void> {
    const lost = new Promise<never>((_resolve, reject) => client.once('error', reject))
    const ended = new Promise<never>((_resolve, reject) => {
      client.once('end', () => reject(new Error('the connection that listens has ended')))
    })
    // One of them may be rejected after the wait is over.
    lost.catch(() => undefined)
    ended.catch(() => undefined)
    for (;;) {
      await Promise.race([delay(heartbeatMs, undefined, { signal }), lost, ended])
      await Promise.race([client.query('select 1'), lost, ended])
    }
  }

  async function keepListening(first: Client): Promise<void> {
    let client: Client | null = first
    while (!isEnding()) {
      try {
        client ??= await listen()
        await watch(client)
      } catch (error) {
        if (client !== null) await drop(client)
        client = null
        if (isEnding()) return
        onError(error)
        await delay(againAfterMs, undefined, { signal }).catch(() => {
          // The signal was aborted: the loop's condition ends the loop.
        })
      }
    }
  }

  const running = keepListening(await listen())
  return {
    on(channel, listener) {
      const ofChannel = listeners.get(channel) ?? new Set()
      listeners.set(channel, ofChannel.add(listener))
      return () => void ofChannel.delete(listener)
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      listeners.clear()
      await running
    },
  }
}

/** End a connection. pg cuts a connection that does not answer, because a query is still open on it. */
async function drop(client: { end(): Promise<void> }): Promise<void> {
  await client.end().catch(() => {
    // The connection has ended already.
  })
}
