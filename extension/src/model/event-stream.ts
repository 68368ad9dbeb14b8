import { createParser } from 'eventsource-parser'

/** One server-sent event. */
export interface StreamEvent {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string
}

/**
 * Read server-sent events from a response until the server ends them. EventSource cannot send headers, and the library's own reader is built on undici, which
 * does not run in a browser.
 *
 * `onEvent` is called for each event in order. Resolves when the stream ends. Rejects when it breaks, or when nothing arrives for `silenceMs`: the server sends
 * a heartbeat every 10 s, so a silent connection is dead.
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
    // The reader is not used any more. Canceling a stream that is broken fails, which does not matter.
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
