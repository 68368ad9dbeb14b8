import { spawn, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { startEmbeddedPostgres } from '../../server/src/postgres/embedded.ts'

/** A PostgreSQL for tests, as a user that it accepts: `postgres-child.ts embedded|debian <dir>`. It prints its URL, and ends when its standard input does. */
const [kind = '', dir = ''] = process.argv.slice(2)
const postgres =
  kind === 'embedded'
    ? await startEmbeddedPostgres({ dir, onLine: () => undefined })
    : startDebian()
process.stdout.write(`${postgres.url}\n`)
for await (const _ of process.stdin);
await postgres[Symbol.asyncDispose]()

/** Start Debian 12's PostgreSQL 15, on a socket in its folder. Its files may be there already. */
function startDebian(): { url: string; [Symbol.asyncDispose](): Promise<void> } {
  const bin = '/usr/lib/postgresql/15/bin'
  if (!existsSync(`${dir}/data`))
    execFileSync(`${bin}/initdb`, ['-D', `${dir}/data`, '-U', 'lab', '--auth=trust', '-E', 'UTF8'])
  const child = spawn(
    `${bin}/postgres`,
    ['-D', `${dir}/data`, '-k', dir, '-c', 'listen_addresses='],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const lines = createInterface({ input: child.stderr })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    url: `postgres://lab@/postgres?host=${encodeURIComponent(dir)}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT')
      await ended
      lines.close()
    },
  }
}
