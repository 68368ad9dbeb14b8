import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { backoffMs, LabError } from '@community-lab/contract'
import { anySignal, backoff, sleep } from '../wait/signal.ts'
import type { HttpClient } from './client.ts'

/** Options of {@link readEvents}. */
export interface EventStreamOptions {
  readonly query?: Readonly<Record<string, string>>
  /** The id after which to begin; null: where the server begins by itself. */
  readonly after?: string | null
  readonly signal: AbortSignal
  /** Tell whether an error of opening the stream is waited out; by default those that say so themselves. */
  isPassing?(error: LabError): boolean
}

/** An event, or the note that a connection was made, before its first event. */
export type StreamEvent =
  { readonly is: 'event'; readonly event: EventSourceMessage } | { readonly is: 'connected' }

/** Servers send a comment every ten seconds; a connection silent for longer is dead. */
const silenceMs = 35_000

/**
 * Read server-sent events without an end: when the connection breaks it is made again, from the last id on. Ends when the signal is aborted, by throwing its
 * reason.
 *
 * @throws {@link LabError} what the server refuses it with, unless that passes.
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
      // Anything else is a broken connection: read on from the last id.
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
    // When reading stops early, the connection must be closed, or the server would go on sending.
    body.on('error', () => undefined).destroy()
  }
}
