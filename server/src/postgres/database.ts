import { LabError, messageOf } from '@community-lab/contract'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { migrations } from './migrations.ts'
import type { Tables } from './tables.ts'

/** The registry's database, and connections for notifications. */
export interface Database extends AsyncDisposable {
  readonly db: Kysely<Tables>
  /** Open another connection, for LISTEN. A query on it fails when it is not answered within this time, in milliseconds. */
  connect(options: { readonly queryTimeoutMs: number }): Promise<pg.Client>
}

/** Options of {@link openDatabase}. */
export interface DatabaseOptions {
  /** `postgres://…`. */
  readonly url: string
  /** Called when a connection is lost. */
  readonly onLost: (error: Error) => void
}

/** The oldest PostgreSQL that is tested: Debian 12's. */
const oldestVersion = 15
const maxConnections = 10
const connectWithinMs = 10_000

/**
 * Connect to PostgreSQL and bring its schema up to date.
 *
 * @throws {@link LabError} LAB_DATABASE_UNUSABLE.
 */
export async function openDatabase({ url, onLost }: DatabaseOptions): Promise<Database> {
  const settings = {
    connectionString: url,
    connectionTimeoutMillis: connectWithinMs,
    keepAlive: true,
  }
  // int8 columns hold only counts and ids far below 2^53 here.
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const pool = new pg.Pool({ ...settings, max: maxConnections, types })
  // The pool handles errors of idle connections only. Without a listener, a connection that is lost between two statements of a transaction would end the
  // process.
  pool.on('connect', (client) => client.on('error', onLost))
  pool.on('error', () => undefined)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  try {
    const answer = await sql<{ version: string }>`show server_version_num`.execute(db)
    const version = Number(Object.values(answer.rows[0] ?? {})[0])
    if (version < oldestVersion * 10_000)
      throw new Error(`its version ${version / 10_000} is older than ${oldestVersion}`)
    await migrate(db)
  } catch (cause) {
    await db.destroy()
    const reason = messageOf(cause)
    throw new LabError('LAB_DATABASE_UNUSABLE', { database: describe(url), reason }, { cause })
  }
  return {
    db,
    connect: async ({ queryTimeoutMs }) => {
      const client = new pg.Client({ ...settings, query_timeout: queryTimeoutMs })
      client.on('error', onLost)
      await client.connect()
      return client
    },
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  const reason = error instanceof Error ? error.message : 'unknown'
  throw new Error(`its schema cannot be brought up to date (${reason})`, { cause: error })
}

/** Return the URL of a database without its password. That of a socket has a user and no host, which is no URL to Node.js. */
function describe(url: string): string {
  // A PostgreSQL at a Unix socket has no host, which other URLs must have.
  if (!URL.canParse(url)) return url.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/u, '$1@')
  return url.replace(/^(\w+:\/\/[^:@/]*):[^@/]*@/u, '$1@').replace(/([?&]password=)[^&]*/u, '$1')
}
