import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { endWhenStalled } from './streams.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Fastify takes a stream as well as a text, which its own types leave out. */
    serializer(serialize: (payload: unknown) => string | Readable): this
  }
}

/** The most objects of a large list that are in memory for one reader. */
export const largeListBatch = 200

/** The longest that one reader may take for a large list, in milliseconds: ten thousand objects over a slow link of a community network. */
const readWithinMs = 15 * 60_000

/**
 * A list that is too large to be in memory as a whole. It is read from the database in batches, each when its reader has taken the one before. So the server needs
 * the same memory for it however many objects there are, and however slow the reader is. What changes meanwhile may be in it as it was or as it is.
 */
export class LargeList {
  /** Changes with any object of the list; null: not known. */
  readonly version: string | null
  readonly #batches: () => AsyncIterable<readonly unknown[]>

  constructor(version: string | null, batches: () => AsyncIterable<readonly unknown[]>) {
    this.version = version
    this.#batches = batches
  }

  /** Return the list with another form of its objects. */
  map(change: (batch: readonly unknown[]) => unknown): LargeList {
    const batches = this.#batches
    return new LargeList(this.version, async function* changed() {
      for await (const batch of batches()) {
        const made = change(batch)
        if (Array.isArray(made)) yield made as readonly unknown[]
      }
    })
  }

  /** Return its JSON, by the serializer of an array of its objects. */
  toStream(serialize: (batch: readonly unknown[]) => string): Readable {
    // A text is waiting at most: each is as long as a batch.
    return Readable.from(writeJson(this.#batches(), serialize), {
      objectMode: true,
      highWaterMark: 1,
    })
  }
}

async function* writeJson(
  batches: AsyncIterable<readonly unknown[]>,
  serialize: (batch: readonly unknown[]) => string,
): AsyncGenerator<string> {
  let before = '['
  for await (const batch of batches) {
    if (batch.length === 0) continue
    // Without the brackets around the objects.
    yield before + serialize(batch).slice(1, -1)
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

/** Let a reply answer with a large list: by the schema of its route, and to a reader who comes to an end. */
export function prepareLargeReply(reply: FastifyReply): void {
  const byRoute = reply.getSerializationFunction('200')
  const serialize = (batch: readonly unknown[]): string =>
    byRoute === undefined
      ? JSON.stringify(batch)
      : String(Reflect.apply(byRoute, undefined, [batch]))
  // Also an error may come instead.
  void reply
    .type('application/json')
    .serializer((payload: unknown) =>
      payload instanceof LargeList ? payload.toStream(serialize) : JSON.stringify(payload),
    )
  endWhenStalled(reply.raw)
  const timer = setTimeout(() => reply.raw.destroy(), readWithinMs)
  timer.unref()
  reply.raw.once('close', () => clearTimeout(timer))
}
