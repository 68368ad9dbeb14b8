import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { backoffMs, LabError } from '@community-lab/contract'
import { anySignal, backoff, sleep } from '../wait/signal.ts'
import type { HttpClient } from './client.ts'

/** Options of {@link readEvents}. */
export interface EventStreamOptions {
  readonly query?: Readonly<Record<string, string>>
  /** The id of the last event that is known; null: begin where the server begins by default. */
  readonly after?: string | null
  readonly signal: AbortSignal
  /** Tell whether to try again after this error of opening the stream. Default: when the error is retryable. */
  isPassing?(error: LabError): boolean
}

/** An event; or a message that a connection was made, which comes before the first event of that connection. */
export type StreamEvent =
  { readonly is: 'event'; readonly event: EventSourceMessage } | { readonly is: 'connected' }

/** A server sends a comment every ten seconds. A connection that is silent for longer than this is dead. */
const silenceMs = 35_000

/**
 * Read server-sent events without an end. After a broken connection, a new one continues from the last id. When the signal is aborted, this throws its reason.
 *
 * @throws {@link LabError} when the server refuses the stream and `isPassing` is false for that error.
 */
export async function* readEvents(
  http: HttpClient,
  path: string,
  options: EventStreamOptions,
): AsyncGenerator<StreamEvent, never, undefined> {
  const isPassing = options.isPassing ?? ((error: LabError) => error.retryable)
  let lastId = options.after ?? null
  for (let failures = 1; ; failures++) {
    try {
      for await (const event of readConnection(http, path, { ...options, lastId })) {
        failures = 0
        if (event.is === 'event') lastId = event.event.id ?? lastId
        yield event
      }
    } catch (error) {
      options.signal.throwIfAborted()
      if (LabError.is(error) && !isPassing(error)) throw error
      // The connection broke. Continue from the last id.
    }
    await sleep(backoffMs(backoff, Math.min(failures, 4)), options.signal)
  }
}

async function* readConnection(
  http: HttpClient,
  path: string,
  options: EventStreamOptions & { readonly lastId: string | null },
): AsyncGenerator<StreamEvent> {
  const silence = new AbortController()
  const signal = anySignal(options.signal, silence.signal)
  const { body } = await http.open(path, {
    accept: 'text/event-stream',
    lastEventId: options.lastId,
    signal,
    ...(options.query === undefined ? {} : { query: options.query }),
  })
  let pending: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => pending.push(event) })
  const decoder = new TextDecoder()
  const give = (): void => silence.abort(new Error('the stream of events fell silent'))
  let timer = setTimeout(give, silenceMs)
  try {
    yield { is: 'connected' }
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer)
      timer = setTimeout(give, silenceMs)
      parser.feed(decoder.decode(chunk, { stream: true }))
      const events = pending
      pending = []
      for (const event of events) yield { is: 'event', event }
    }
  } finally {
    clearTimeout(timer)
    // When the reader stops early, close the connection. Otherwise the server would go on sending.
    body.on('error', () => undefined).destroy()
  }
}
