import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { makeOrdinaryFolder, spawnOrdinary } from './postgres-user.ts'

/** The kinds of PostgreSQL on which the registry must run, as far as this machine has them. */
export const postgresKinds = (['embedded', 'debian'] as const).filter(
  (kind) => kind === 'embedded' || existsSync('/usr/lib/postgresql/15/bin/postgres'),
)
export type PostgresKind = (typeof postgresKinds)[number]

/** An empty PostgreSQL, until it is disposed of. */
export async function startPostgres(
  kind: PostgresKind = 'embedded',
): Promise<AsyncDisposable & { readonly url: string }> {
  const dir = await makeOrdinaryFolder()
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
      await rm(dir, { recursive: true, force: true })
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
