import type { IncomingMessage } from 'node:http'
import { addAbortSignal } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { LabError } from '@community-lab/contract'
import { silent, toConnectionError } from './errors.ts'

/** A successful answer: 2xx or 304. */
export interface HttpAnswer {
  readonly status: number
  header(name: string): string | null
  /**
   * Read the body, up to a limit. A body must be read, skipped or left.
   *
   * @throws {@link LabError} LAB_RESPONSE_TOO_LARGE; LAB_CONNECTION_FAILED when the connection breaks. An abort of the request's signal throws its reason.
   */
  read(limitBytes: number): AsyncGenerator<Uint8Array, void>
  /** Read the body as JSON. @throws {@link LabError} as {@link HttpAnswer.read}, and LAB_RESPONSE_INVALID. */
  readJson(): Promise<unknown>
  /** Read the body to its end, and discard it. @throws {@link LabError} as {@link HttpAnswer.read}. */
  skip(): Promise<void>
  /** Give up the body and close its connection. */
  leave(): void
}

/** The most bytes of a JSON document. */
const maxDocumentBytes = 8 * 1024 * 1024

/** Options of {@link answerOf}. */
export interface AnswerOptions {
  /** The request, as errors describe it. */
  readonly url: string
  /** The longest time until the next part of the body, in milliseconds. */
  readonly silenceMs: number
  /** The signal of the request. It also ends the reading of the body. */
  readonly signal: AbortSignal
}

/** Return the answer after its head has arrived. */
export function answerOf(response: IncomingMessage, options: AnswerOptions): HttpAnswer {
  const { url, silenceMs, signal } = options
  addAbortSignal(signal, response)
  // The reader of the body gets its error. Without a reader, the error must not end the process.
  response.on('error', () => undefined)
  async function* read(limitBytes: number): AsyncGenerator<Uint8Array, void> {
    let bytes = 0
    const watch = (): NodeJS.Timeout =>
      setTimeout(() => response.destroy(silent(silenceMs)), silenceMs)
    let silence = watch()
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        // The time limit is for the server. The reader may take any time for a piece.
        clearTimeout(silence)
        bytes += chunk.length
        if (bytes > limitBytes) throw new LabError('LAB_RESPONSE_TOO_LARGE', { url, limitBytes })
        yield chunk
        silence = watch()
      }
    } catch (error) {
      throw toConnectionError(error, url, signal)
    } finally {
      clearTimeout(silence)
    }
  }
  return {
    status: response.statusCode ?? 0,
    header: (name) => firstOf(response.headers[name]),
    read,
    async readJson(): Promise<unknown> {
      const document = await text(read(maxDocumentBytes))
      try {
        return JSON.parse(document)
      } catch (cause) {
        throw new LabError('LAB_RESPONSE_INVALID', { url, reason: 'it is not JSON' }, { cause })
      }
    },
    async skip() {
      await buffer(read(maxDocumentBytes))
    },
    leave() {
      response.destroy()
    },
  }
}

function firstOf(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null
}
