import type { Kysely } from 'kysely'
import type { Tables } from '../postgres/tables.ts'
import { repeat } from './repeat.ts'

/** The time between two entries that the server runs, in milliseconds. After a kill, the record ends this long before at most. */
const beatMs = 30_000
/**
 * After a longer time without an entry, a new run begins, in milliseconds. The host was suspended, or the database could not be reached: nothing was recorded
 * meanwhile.
 */
const longestGapMs = 3 * beatMs

/** Options of {@link openServerRun}. */
export interface ServerRunOptions {
  readonly db: Kysely<Tables>
  readonly onError: (error: unknown) => void
}

/** A time without interruption in which a server runs. */
export interface ServerRun {
  /** Its row in `server_runs`. It is another one after an interruption. */
  readonly id: number
}

/** Record from now on that the server runs, until it is disposed. What it knows of nodes and slivers holds only while it runs. */
export async function openServerRun({
  db,
  onError,
}: ServerRunOptions): Promise<ServerRun & AsyncDisposable> {
  let id = await begin(db)
  let lastMs = Date.now()
  const beat = async (): Promise<void> => {
    const nowMs = Date.now()
    const hasGap = Math.abs(nowMs - lastMs) > longestGapMs
    if (hasGap) id = await begin(db)
    else
      await db
        .updateTable('server_runs')
        .set({ up_until: new Date(nowMs) })
        .where('id', '=', id)
        .execute()
    lastMs = nowMs
  }
  const stop = repeat(beatMs, onError, beat)
  return {
    get id() {
      return id
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await beat().catch(onError)
    },
  }
}

async function begin(db: Kysely<Tables>): Promise<number> {
  const now = new Date()
  const row = await db
    .insertInto('server_runs')
    .values({ began_on: now, up_until: now })
    .returning('id')
    .executeTakeFirstOrThrow()
  return row.id
}
