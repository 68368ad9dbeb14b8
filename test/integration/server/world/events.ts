import { acceptOf, type ChangeEvent } from '@community-lab/contract'
import type { World } from './world.ts'

/** A server-sent event. */
export interface SentEvent {
  readonly id: number
  /** Where its reader goes on. */
  readonly cursor: string
  readonly event: string
  readonly data: ChangeEvent
}

/** A reader of `/api/events/`, over a real connection. */
export interface EventReader extends AsyncDisposable {
  readonly response: Response
  /** The next `count` events, in order. */
  take(count: number): Promise<readonly SentEvent[]>
  /** The next event; null when the server has ended the stream. */
  next(): Promise<SentEvent | null>
}

/** Where a reader begins: after an event of this id; without, with what comes. */
export interface ReadFrom {
  readonly lastEventId?: number | string
  readonly query?: string
  readonly token?: string
}

/** Begin to read; returns when the server has answered. */
export async function readEvents(
  { app }: Pick<World, 'app'>,
  { lastEventId, query = '', token }: ReadFrom = {},
): Promise<EventReader> {
  const address = app.server.address()
  const origin =
    address === null || typeof address === 'string'
      ? await app.listen({ host: '127.0.0.1', port: 0 })
      : `http://127.0.0.1:${address.port}`
  const leaving = new AbortController()
  const headers = {
    accept: acceptOf('text/event-stream'),
    ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  const url = `${origin}/api/events/${query}`
  const response = await fetch(url, { headers, signal: leaving.signal })
  const events = parse(response)
  const next = async () => (await events.next()).value ?? null
  return {
    response,
    next,
    async take(count) {
      const taken: SentEvent[] = []
      while (taken.length < count) {
        const event = await next()
        if (event === null) throw new Error(`the stream ended after ${taken.length} events`)
        taken.push(event)
      }
      return taken
    },
    async [Symbol.asyncDispose]() {
      leaving.abort()
      // What was on its way ends with the connection.
      await events.return(undefined).catch(() => undefined)
    },
  }
}

async function* parse(response: Response): AsyncGenerator<SentEvent, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const part = await reader?.read()
    if (part?.value === undefined) return
    const blocks = (text + part.value).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const match = /^id: ((\d+)\.\w+)\nevent: (\w+)\ndata: (.*)$/u.exec(block)
      if (match === null) continue
      const [, cursor = '', id, event = '', data = ''] = match
      yield { id: Number(id), cursor, event, data: JSON.parse(data) as ChangeEvent }
    }
  }
}
