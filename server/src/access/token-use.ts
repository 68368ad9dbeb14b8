import { sql, type Kysely } from 'kysely'
import type { Tables } from '../postgres/tables.ts'

/** Options of {@link createTokenUse}. */
export interface TokenUseOptions {
  readonly db: Kysely<Tables>
  /** The time between two writes to the database, in milliseconds. */
  readonly everyMs: number
  /** Called when a write failed. The next one repeats it. */
  onError(error: unknown): void
}

/** When each token was last used. It is kept in memory, and stored for all tokens together. */
export interface TokenUse extends AsyncDisposable {
  /** Note that a token is used now. */
  note(tokenId: number): void
  /** Store what is not stored yet. */
  write(): Promise<void>
}

/** The most tokens in one statement. Each takes two of PostgreSQL's 65,535 parameters. */
const maxTokens = 10_000

/** Begin to note the use of tokens. Disposing stores the rest. */
export function createTokenUse({ db, everyMs, onError }: TokenUseOptions): TokenUse {
  const used = new Map<number, Date>()
  let writing: Promise<void> = Promise.resolve()

  async function writeAll(): Promise<void> {
    while (used.size > 0) {
      const some = [...used].slice(0, maxTokens)
      for (const [id] of some) used.delete(id)
      const ids = some.map(([id]) => id)
      const times = some.map(([, time]) => time)
      try {
        await sql`update tokens set last_used_on = used.at
          from unnest(${ids}::integer[], ${times}::timestamptz[]) as used(id, at)
          where tokens.id = used.id`.execute(db)
      } catch (error) {
        for (const [id, time] of some) if (!used.has(id)) used.set(id, time)
        throw error
      }
    }
  }
  function write(): Promise<void> {
    writing = writing.catch(() => undefined).then(writeAll)
    return writing
  }

  const timer = setInterval(() => void write().catch(onError), everyMs)
  timer.unref()
  return {
    note(tokenId) {
      used.set(tokenId, new Date())
    },
    write,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await write().catch(onError)
    },
  }
}
