import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import pg from 'pg'
import { makeOrdinaryFolder, spawnOrdinary } from './postgres-user.ts'
import { makeOnce } from './run-folder.ts'

const run = promisify(execFile)

/** The kinds of PostgreSQL on which the registry must run, as far as this machine has them. */
export const postgresKinds = (['embedded', 'debian'] as const).filter(
  (kind) => kind === 'embedded' || existsSync('/usr/lib/postgresql/15/bin/postgres'),
)
export type PostgresKind = (typeof postgresKinds)[number]

/** A PostgreSQL, until it is disposed of. */
export interface TestPostgres extends AsyncDisposable {
  readonly url: string
}

/**
 * Start an empty PostgreSQL. In a run of tests its files are made once and copied, and it does not wait for the disk: tests kill processes, which loses nothing that was
 * written, and no machines.
 */
export async function startPostgres(kind: PostgresKind = 'embedded'): Promise<TestPostgres> {
  const made = await makeOnce(`postgres-${kind}`, (folder) => makeFiles(kind, folder))
  const dir = await makeOrdinaryFolder()
  // PostgreSQL refuses files with other owners or modes.
  if (made !== null) await run('cp', ['--archive', '--reflink=auto', join(made, 'data'), dir])
  const postgres = await start(kind, dir)
  return {
    url: postgres.url,
    async [Symbol.asyncDispose]() {
      await postgres[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Let a PostgreSQL make its files. */
async function makeFiles(kind: PostgresKind, folder: string): Promise<void> {
  const dir = await makeOrdinaryFolder()
  await (await start(kind, dir))[Symbol.asyncDispose]()
  await appendFile(join(dir, 'data/postgresql.conf'), 'fsync = off\n')
  await rename(join(dir, 'data'), join(folder, 'data'))
  await rm(dir, { recursive: true, force: true })
}

async function start(kind: PostgresKind, dir: string): Promise<TestPostgres> {
  const started = await spawnOrdinary('test/support/postgres-child.ts', [kind, dir])
  const { stdin, stdout, stderr } = started.child
  stderr?.pipe(process.stderr)
  if (stdin === null || stdout === null) throw new Error('the child has no pipes')
  const ended = once(started.child, 'exit')
  const [url] = (await Promise.race([
    once(createInterface({ input: stdout }), 'line'),
    ended.then(([code]) => Promise.reject(new Error(`PostgreSQL (${kind}) ended with ${code}`))),
  ])) as [string]
  await answers(url)
  return {
    url,
    async [Symbol.asyncDispose]() {
      stdin.end()
      await started[Symbol.asyncDispose]()
    },
  }
}

/** Connect until it answers, because Debian's PostgreSQL reports nothing when it is ready. */
async function answers(url: string): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      const starting =
        error instanceof Error &&
        /ENOENT|ECONNREFUSED|57P03/u.test(String('code' in error ? error.code : ''))
      if (!starting) throw error
    }
  }
}
