import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { acceptOf } from '@community-lab/contract'
import pg from 'pg'
import { pino } from 'pino'
import { buildApp, type App } from '../../../../server/src/app.ts'
import type { Limits } from '../../../../server/src/http/limits.ts'
import type { SmtpSettings } from '../../../../server/src/mail/settings.ts'
import { openDatabase, type Database } from '../../../../server/src/postgres/database.ts'
import { startPostgres, type PostgresKind } from '../../../support/postgres.ts'

/** A PostgreSQL that gives each world a database of its own. */
export interface DatabaseServer extends AsyncDisposable {
  /** A new database, empty or a copy of another. Returns its URL. */
  create(copyOf?: string): Promise<string>
  /** Let connections to a database in, or end those there are and let none in. */
  admit(database: string, admitted: boolean): Promise<void>
}

/** The whole server but its sockets. */
export interface World extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly context: App['context']
  readonly database: Database
  readonly databaseUrl: string
  readonly dataDir: string
  /** Everything it logged, a JSON document each. */
  readonly log: readonly string[]
  /** Ask something with a token, or without. */
  ask(
    token: string | null,
    method: Method,
    url: string,
    options?: AskOptions,
  ): Promise<LightMyRequestResponse>
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export interface AskOptions {
  readonly body?: InjectOptions['payload']
  readonly headers?: Readonly<Record<string, string>>
}

/** The management prefix of the tests. */
export const mgmtPrefix = 'fd65:fc41:c50f::/48'

/** Start a PostgreSQL for a file's tests. */
export async function startDatabaseServer(kind: PostgresKind): Promise<DatabaseServer> {
  const postgres = await startPostgres(kind)
  const home = new URL(postgres.url.replace('@/', '@localhost/')).pathname
  let made = 0
  async function run(...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  return {
    async create(copyOf) {
      const name = `world${++made}`
      const source = copyOf === undefined ? 'template1' : /\/(world\d+)\?/u.exec(copyOf)?.[1]
      await run(`create database ${name} template ${source ?? ''}`)
      return postgres.url.replace(home, `/${name}`)
    },
    admit: (name, admitted) =>
      run(
        `alter database ${name} allow_connections ${admitted}`,
        admitted
          ? 'select 1'
          : `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
      ),
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  }
}

/** What differs between worlds. */
export interface WorldOptions {
  readonly databaseUrl: string
  /** A data folder to begin with a copy of. */
  readonly copyOf?: string
  readonly publicUrl?: string
  readonly smtp?: SmtpSettings
  readonly offlineAfterS?: number
  readonly origins?: readonly string[]
  readonly limits?: Limits
}

/** Put a server together. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { databaseUrl, copyOf, offlineAfterS = 3600, origins = [], limits } = options
  const { publicUrl = null, smtp = null } = options
  await using stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'cl-test-server-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  if (copyOf !== undefined) await cp(copyOf, dataDir, { recursive: true })
  const log: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line) => void log.push(line) })
  const database = stack.use(await openDatabase({ url: databaseUrl, onLost: () => undefined }))
  const { app, context } = await buildApp({
    configuration: {
      dataDir,
      socket: null,
      listen: { host: '::1', port: 8443 },
      communityUrl: 'https://[2001:db8::1]:8443',
      publicUrl,
      smtp,
      tincAddress: '2001:db8::1',
      tincPort: 655,
      mgmtPrefix,
      gatewaySocket: join(dataDir, 'no-gateway.sock'),
      bootstrapTokenFile: null,
      origins,
      offlineAfterS,
      minFreeMiB: 1,
      keep: { sliceBytes: 1e12, sliceDays: 730, nodeBytes: 1e12, nodeDays: 730 },
      otlp: null,
      logLevel: 'trace',
      databaseUrl,
    },
    database,
    logger,
    ...(limits === undefined ? {} : { limits }),
  })
  stack.defer(() => app.close())
  await app.ready()
  const held = stack.move()
  return {
    app,
    context,
    database,
    databaseUrl,
    dataDir,
    log,
    ask: (token, method, url, { body, headers = {} } = {}) =>
      app.inject({
        method,
        url,
        headers: {
          accept: acceptOf(),
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: body }),
      }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
