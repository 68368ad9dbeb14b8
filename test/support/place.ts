import { execFile } from 'node:child_process'
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const checkout = resolve(import.meta.dirname, '../..')

/** Who runs a program of the checkout, and where its data folder may be. */
export interface Place {
  /** The checkout as the program sees it. */
  readonly checkout: string
  /** For mkdtemp. Short: Unix sockets are in there. */
  readonly homePrefix: string
  /** The argv that runs another as that user; the process stays the same. */
  wrap(argv: readonly string[]): readonly string[]
  /** Give a folder to that user. */
  own(folder: string): Promise<void>
  /** Remove a folder of that user's, and the user if it was made for this. */
  remove(folder: string): Promise<void>
}

const homePrefix = join(tmpdir(), 'cl-test-')

/** Whoever runs the tests. */
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

/** An ordinary user: made for this when root runs the tests, else whoever does. */
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
  // The checkout may be where only root gets to: the user sees it through a mount that nobody else has.
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

/** What a testbed of an ordinary user wrote belongs to ids that only its user namespace has. */
async function removeMapped(folder: string): Promise<void> {
  if (process.getuid?.() === 0) await rm(folder, { recursive: true, force: true })
  else await run('unshare', ['--user', '--map-auto', '--map-root-user', 'rm', '-rf', folder])
}
