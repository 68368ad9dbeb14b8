import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const checkout = resolve(import.meta.dirname, '../..')
// The user id of Debian's "nobody": neither PostgreSQL nor the server may run as root.
const uid = 65_534

/** A child process with its own folder, as a user that PostgreSQL accepts. */
export interface OrdinaryChild extends AsyncDisposable {
  readonly child: ChildProcess
}

/** Create a folder that belongs to this user. */
export async function makeOrdinaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'cl-test-pg-'))
  if (process.getuid?.() === 0) await chown(dir, uid, uid)
  return dir
}

/**
 * Start a program of the checkout as an ordinary user. Its path is relative to the checkout. It is a Node.js program, or a launcher, which finds this Node.js
 * in its PATH. Disposing waits for its end.
 */
export async function spawnOrdinary(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  stdout: 'pipe' | number = 'pipe',
): Promise<OrdinaryChild> {
  const root = process.getuid?.() === 0
  // The checkout may be in a folder that only root may enter. The child sees it through a mount in its own mount namespace.
  const view = await mkdtemp(join(tmpdir(), 'cl-test-view-'))
  await chmod(view, 0o755)
  const node = root ? process.execPath.replace(`${checkout}/`, `${view}/`) : process.execPath
  const command = /\.[jt]s$/u.test(program) ? [node, program] : [program]
  const withNode = { ...env, PATH: `${dirname(node)}:${env['PATH'] ?? ''}` }
  const script = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"'
  const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all']
  const [file, ...rest] = root
    ? ['unshare', '--mount', 'sh', '-c', script, 'sh', checkout, view, ...drop, ...command, ...args]
    : [...command, ...args]
  if (file === undefined) throw new Error('there is nothing to start')
  const child = spawn(file, rest, { cwd: checkout, env: withNode, stdio: ['pipe', stdout, 'pipe'] })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  return {
    child,
    async [Symbol.asyncDispose]() {
      await ended
      await rm(view, { recursive: true, force: true })
    },
  }
}
