import { createParser } from 'eventsource-parser'

/** One server-sent event. */
export interface StreamEvent {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/**
 * Read server-sent events by fetch (EventSource can carry no header and cannot be aborted), until the server ends them. The library's own reader is
 * built on undici, which does not run in a browser.
 *
 * `onEvent` is called for each in order. Settles when the stream ends; rejects when it breaks, or when nothing came for `silenceMs`: the server
 * sends a heartbeat every 10 s, so silence means a connection that is dead without saying so.
 */
export async function readEvents(
  response: Response,
  onEvent: (event: StreamEvent) => void,
  silenceMs: number,
): Promise<void> {
  if (response.body === null) throw new TypeError('the answer has no body')
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      onEvent({ id, event, data })
    },
  })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  try {
    for (;;) {
      const chunk = await withinSilence(reader.read(), silenceMs)
      if (chunk.done) return
      parser.feed(chunk.value)
    }
  } finally {
    // The reader is given up either way; that cancelling a broken stream fails is no news.
    reader.cancel().catch(() => undefined)
  }
}

async function withinSilence<T>(next: Promise<T>, silenceMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing was heard for ${silenceMs / 1000} s`))
    }, silenceMs)
  })
  try {
    return await Promise.race([next, silence])
  } finally {
    clearTimeout(timer)
  }
}
