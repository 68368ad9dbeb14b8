import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'

const checkout = resolve(import.meta.dirname, '../..')
// Debian's "nobody": PostgreSQL does not run as root.
const uid = 65_534

/** The PostgreSQLs that the registry must run on, with whether this machine has them. */
export const postgresKinds = (['embedded', 'debian'] as const).filter(
  (kind) => kind === 'embedded' || existsSync('/usr/lib/postgresql/15/bin/postgres'),
)
export type PostgresKind = (typeof postgresKinds)[number]

/** A real PostgreSQL, empty, until it is disposed of. */
export async function startPostgres(
  kind: PostgresKind = 'embedded',
): Promise<AsyncDisposable & { readonly url: string }> {
  const root = process.getuid?.() === 0
  const dir = await mkdtemp(join(tmpdir(), 'cl-test-pg-'))
  if (root) await chown(dir, uid, uid)
  const node = [process.execPath, 'test/support/postgres-child.ts', kind, dir]
  // The checkout may be where only root gets to: nobody sees it through a mount of its own.
  const view = await mkdtemp(join(tmpdir(), 'cl-test-view-'))
  await chmod(view, 0o755)
  const script = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"'
  const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all']
  const argv = root
    ? ['unshare', '--mount', 'sh', '-c', script, 'sh', checkout, view, ...drop, ...node]
    : node
  const inView = argv.map((arg) => (root ? arg.replace(`${checkout}/`, `${view}/`) : arg))
  const [program = '', ...rest] = inView
  const child = spawn(program, rest, { cwd: checkout, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const [url] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    ended.then(([code]) => Promise.reject(new Error(`PostgreSQL (${kind}) ended with ${code}`))),
  ])) as [string]
  await answers(url)
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await ended
      await rm(dir, { recursive: true, force: true })
      await rm(view, { recursive: true, force: true })
    },
  }
}

/** Connect until it answers: Debian's says nothing when it is ready. */
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
