import { spawn } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Value } from 'typebox/value'
import { ProgressLine } from '../../../../server/vct/src/progress.ts'
import { foldersOf, type Folders } from '../../../../server/vct/src/pod/folders.ts'
import { findHolder } from '../../../../server/vct/src/pod/lock.ts'
import { maybeChildOf } from '../../../../server/vct/src/process/tree.ts'
import { patienceMs } from '../../../support/eventually.ts'
import { freePort } from '../../../support/free-port.ts'

const checkout = resolve(import.meta.dirname, '../../../..')

/** The virtual testbed's program, run in a test. */
export interface Launched {
  readonly pid: number
  /** Settles with the first line like this; rejects when it ends without one. */
  line(isIt: (line: ProgressLine) => boolean): Promise<ProgressLine>
  /** Settles when this step has got so far. */
  step(name: string, state: 'start' | 'done'): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Settles with its exit code or the signal that ended it. */
  readonly ended: Promise<string>
  /** The supervisor of its pod, and the pod's process-id namespace. */
  pod(): Promise<{ readonly supervisorPid: number; readonly pidNamespace: string }>
}

/** A data folder of a test. */
export interface TestHome extends AsyncDisposable {
  readonly folders: Folders
  /** Start a real testbed in it, with a template that is none, so that its start goes no further than that. */
  up(options?: { readonly port?: number; readonly template?: string }): Promise<Launched>
  down(): Launched
  /** What is left of a testbed besides its data, a line each. */
  left(pidNamespace: string): Promise<readonly string[]>
}

/** Make a data folder. */
export async function makeTestHome(): Promise<TestHome> {
  const home = await mkdtemp(join(tmpdir(), 'cl-vct-'))
  const folders = foldersOf(home)
  const noTemplate = join(home, 'no-template.tar.gz')
  await writeFile(noTemplate, 'not an archive')
  return {
    folders,
    async up({ port, template } = {}) {
      const at = port ?? (await freePort())
      const argv = ['up', '--foreground', '--nodes', '3', '--port', `${at}`]
      return launch([...argv, '--home', home, '--template', template ?? noTemplate])
    },
    down: () => launch(['down', '--home', home]),
    left: (pidNamespace) => findLeft(folders, pidNamespace),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  }
}

function launch(argv: readonly string[]): Launched {
  const node = join(checkout, 'node_modules/.bin/node')
  const main = join(checkout, 'server/vct/dist/main.bundle.js')
  const child = spawn(node, [main, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said: ProgressLine[] = []
  const listeners = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line: unknown = JSON.parse(text)
    if (!Value.Check(ProgressLine, line)) throw new Error(`not its protocol: ${text}`)
    said.push(line)
    listeners.forEach((listener) => listener())
  })
  const ended = new Promise<string>((done) => {
    child.once('close', (code, signal) => done(signal ?? `exit code ${code ?? -1}`))
  })
  const line = (isIt: (line: ProgressLine) => boolean): Promise<ProgressLine> =>
    new Promise((found, failed) => {
      const look = (): void => {
        const it = said.find(isIt)
        if (it !== undefined) found(it)
      }
      listeners.add(look)
      look()
      void ended.then(() => failed(new Error(`it ended: ${JSON.stringify(said)}`)))
    })
  const pid = child.pid ?? 0
  return {
    pid,
    line,
    ended,
    async step(name, state) {
      await line((one) => 'step' in one && one.step === name && one.state === state)
    },
    kill: (signal) => void child.kill(signal),
    async pod() {
      const first = await podOf(pid)
      return {
        supervisorPid: maybeChildOf(first) ?? 0,
        pidNamespace: await readlink(`/proc/${first}/ns/pid`),
      }
    },
  }
}

/** The first process of the pod of a launcher: the child of its `unshare`. */
async function podOf(launcher: number): Promise<number> {
  const children = await readFile(`/proc/${launcher}/task/${launcher}/children`, 'utf8')
  for (const child of children.trim().split(' ').map(Number)) {
    const argv = await readFile(`/proc/${child}/cmdline`, 'utf8')
    const first = maybeChildOf(child)
    if (argv.startsWith('unshare') && first !== null) return first
  }
  throw new Error(`process ${launcher} has no pod`)
}

async function findLeft(folders: Folders, pidNamespace: string): Promise<readonly string[]> {
  const left: string[] = []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name))
  for (const pid of pids) {
    const namespace = await readlink(`/proc/${pid}/ns/pid`).catch(() => '')
    if (namespace === pidNamespace) left.push(`process ${pid}`)
  }
  const controllers = await readdir('/sys/fs/cgroup')
  const cgroups = ['', ...controllers].map((one) =>
    join('/sys/fs/cgroup', one, `community-lab-${folders.hash}`),
  )
  for (const path of [folders.run, folders.stage, ...cgroups])
    if (await exists(path)) left.push(path)
  const mounts = await readFile('/proc/self/mounts', 'utf8')
  if (mounts.includes(folders.home) || mounts.includes(folders.stage)) left.push('a mount')
  const holder = await findHolder(folders.hash)
  holder?.close()
  if (holder !== null) left.push('the lock')
  return left
}

/** Wait until nothing is left; settles with what still is when patience is over. */
export async function untilNothingIsLeft(
  home: TestHome,
  pidNamespace: string,
): Promise<readonly string[]> {
  const patience = AbortSignal.timeout(patienceMs)
  for (;;) {
    const left = await home.left(pidNamespace)
    if (left.length === 0 || patience.aborted) return left
    await delay(20)
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
