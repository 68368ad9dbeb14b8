import { setTimeout as delay } from 'node:timers/promises'
import type { Readable } from 'node:stream'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { backoffMs, isReadable, LabError, messageOf, routes, Time } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import type { Client } from './client.ts'

/** A change, of a server that may be newer: its kind and its object may be unknown here. */
export const Change = Type.Object({
  id: Type.Integer(),
  time: Time,
  kind: Type.String(),
  action: Type.String(),
  object_id: Type.String(),
  object: Type.Unknown(),
})
export type Change = Static<typeof Change>

/** What a reader of changes is told. */
export type News<T> =
  /** What was read at the beginning, and again when the server has not kept what came since. Later changes apply to it. */
  | { readonly is: 'state'; readonly state: T }
  | { readonly is: 'change'; readonly change: Change }
  /** The stream is open. Until it is lost, all changes come. */
  | { readonly is: 'connected' }
  /** The server is away. It is tried again until it is back. */
  | { readonly is: 'lost'; readonly reason: string }

/** Options of {@link followChanges}. */
export interface FollowOptions<T> {
  /** Read the state to which changes apply. It is read after the stream was opened, so that no change is missed. */
  readonly read: () => Promise<T>
  readonly signal: AbortSignal
}

/** A person looks at it, so the longest delay is short. */
const backoff = { firstMs: 500, longestMs: 5_000, jitter: 0.3 }
/** The server ends each stream after some minutes, on purpose. */
const resumeDelayMs = 200
/** The server sends a comment every ten seconds. A connection that is silent for longer than this is dead. */
const silenceMs = 35_000

/**
 * Follow the changes of a testbed without an end, also while its server restarts. Throws the reason of the signal when that is aborted.
 *
 * @throws {@link LabError} the first failure; later, errors that do not pass, such as a token that was revoked.
 */
export async function* followChanges<T>(
  client: Client,
  { read, signal }: FollowOptions<T>,
): AsyncGenerator<News<T>, never, undefined> {
  let cursor: string | null = null
  for (let failures = 0; ;) {
    try {
      for await (const message of readStream(client, cursor, signal)) {
        failures = 0
        if (message === 'connected') {
          if (cursor !== null) yield { is: 'connected' }
        } else if (message.event === 'hello' || message.event === 'reset') {
          const state: T = await read()
          cursor = message.id ?? null
          yield { is: 'state', state }
          yield { is: 'connected' }
        } else if (message.event === 'change') {
          cursor = message.id ?? cursor
          yield { is: 'change', change: parseChange(message.data) }
        }
      }
      await delay(resumeDelayMs, undefined, { signal })
    } catch (error) {
      signal.throwIfAborted()
      if (cursor === null || (LabError.is(error) && !error.retryable)) throw error
      failures += 1
      const why = messageOf(error)
      yield { is: 'lost', reason: LabError.is(error) ? why : `the connection broke (${why})` }
      await delay(backoffMs(backoff, failures), undefined, { signal })
    }
  }
}

/** Read the messages of one connection until the server ends it. */
async function* readStream(
  client: Client,
  lastEventId: string | null,
  signal: AbortSignal,
): AsyncGenerator<EventSourceMessage | 'connected', undefined, undefined> {
  const silence = new AbortController()
  const give = (): void => silence.abort(new Error('nothing was heard of the server'))
  const either = AbortSignal.any([signal, silence.signal])
  const stream: Readable = await client.events(routes.events, { lastEventId, signal: either })
  let messages: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (message) => messages.push(message) })
  stream.setEncoding('utf8')
  const timer = setTimeout(give, silenceMs)
  try {
    yield 'connected'
    for await (const chunk of stream as AsyncIterable<string>) {
      timer.refresh()
      parser.feed(chunk)
      const some = messages
      messages = []
      yield* some
    }
  } catch (error) {
    throw silence.signal.aborted ? silence.signal.reason : error
  } finally {
    clearTimeout(timer)
    stream.on('error', () => undefined).destroy()
  }
}

function parseChange(data: string): Change {
  const change: unknown = JSON.parse(data)
  if (isReadable(Change, change)) return change
  throw new LabError('LAB_RESPONSE_INVALID', { url: routes.events, reason: 'a change has no id' })
}
