import { execFile } from 'node:child_process'
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const checkout = resolve(import.meta.dirname, '../..')

/** The user who runs a program of the checkout, and the folder for its data. */
export interface Place {
  /** The path of the checkout for the program. */
  readonly checkout: string
  /** The prefix for mkdtemp. It is short because Unix sockets are in that folder. */
  readonly homePrefix: string
  /** Return the argv that runs another argv as that user, in the same process. */
  wrap(argv: readonly string[]): readonly string[]
  /** Give a folder to that user. */
  own(folder: string): Promise<void>
  /** Remove a folder of that user, and the user if it was created for the test. */
  remove(folder: string): Promise<void>
}

const homePrefix = join(tmpdir(), 'cl-test-')

/** The user who runs the tests. */
export function ownPlace(): Place {
  return {
    checkout,
    homePrefix,
    wrap: (argv) => argv,
    own: () => Promise.resolve(),
    remove: (folder) => removeMapped(folder),
  }
}

let users = 0

/** An ordinary user: created for the test when root runs the tests, otherwise the user who runs them. */
export async function ordinaryPlace(): Promise<Place> {
  if (process.getuid?.() !== 0) return ownPlace()
  const user = `cl-test-${process.pid}-${++users}`
  await run('useradd', ['--no-create-home', '--home-dir', '/nonexistent', user])
  const { stdout } = await run('id', ['-u', user])
  const uid = Number(stdout)
  const ranges = await readFile('/etc/subuid', 'utf8')
  if (!ranges.includes(`${user}:`)) {
    const free = `${1_000_000 + uid * 65_536}-${1_000_000 + uid * 65_536 + 65_535}`
    await run('usermod', ['--add-subuids', free, '--add-subgids', free, user])
  }
  // The checkout may be in a folder that only root may enter. The user sees it through a mount in a private mount namespace.
  const view = await mkdtemp(join(tmpdir(), 'cl-view-'))
  await chown(view, uid, uid)
  const script = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"'
  const become = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    '--inh-caps=-all',
  ]
  const enter = ['unshare', '--mount', 'sh', '-c', script, 'sh', checkout, view, ...become, '--']
  return {
    checkout: view,
    homePrefix,
    wrap: (argv) => [...enter, ...argv],
    own: (folder) => chown(folder, uid, uid),
    async remove(folder) {
      await rm(folder, { recursive: true, force: true })
      await rm(view, { recursive: true, force: true })
      await run('userdel', [user])
    },
  }
}

/** Remove a folder. The files of a testbed of an ordinary user belong to ids that exist only in its user namespace. */
async function removeMapped(folder: string): Promise<void> {
  if (process.getuid?.() === 0) await rm(folder, { recursive: true, force: true })
  else await run('unshare', ['--user', '--map-auto', '--map-root-user', 'rm', '-rf', folder])
}
