import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const checkout = resolve(import.meta.dirname, '../..')

/** A virtual testbed in a folder of its own, until it is disposed of. */
export interface OwnTestbed extends AsyncDisposable {
  readonly url: string
  readonly credentialsFile: string
}

/** Options of {@link startVirtualTestbed}. */
export interface TestbedOptions {
  readonly nodes: number
  /** Settings of its parts. */
  readonly env: Readonly<Record<string, string>>
  /** How far the clocks of all its processes are ahead of this machine's, in whole seconds; less than 0: behind. */
  readonly aheadS: number
}

/** The shell that gives the testbed an `/etc` of its own, with the clock. Nothing of it is seen outside. */
const withClock = `set -e
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" /etc
shift
exec "$@"`

/** Start one as `npm start` does, and tell of its progress. What an earlier start left in `home` goes on. Needs root. */
export async function startVirtualTestbed(
  home: string,
  { nodes, env, aheadS }: TestbedOptions,
): Promise<OwnTestbed> {
  const clock = `${home}-clock`
  await prepareClock(clock, aheadS)
  const args = ['up', '--foreground', '--home', home, '--nodes', `${nodes}`, '--port', '18089']
  const template = join(checkout, '.community-lab/templates/tiny.tar.gz')
  const program = join(checkout, 'server/vct/dist/main.bundle.js')
  const testbed = [process.execPath, program, ...args, '--template', template]
  const child = spawn('unshare', ['--mount', 'sh', '-c', withClock, 'clock', clock, ...testbed], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    const document = JSON.parse(line) as { ready?: { url: string; credentialsFile: string } }
    if (document.ready === undefined) continue
    child.stdout.resume()
    const { url, credentialsFile } = document.ready
    return {
      url,
      credentialsFile,
      async [Symbol.asyncDispose]() {
        child.kill('SIGTERM')
        await ended
      },
    }
  }
  throw new Error('the virtual testbed did not come up')
}

async function prepareClock(folder: string, aheadS: number): Promise<void> {
  const etc = join(folder, 'etc')
  await mkdir(etc, { recursive: true, mode: 0o755 })
  await mkdir(join(folder, 'work'), { recursive: true })
  const library = join(etc, 'community-lab-clock.so')
  const source = join(import.meta.dirname, 'clock.c')
  await promisify(execFile)('gcc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'])
  await writeFile(join(etc, 'community-lab-offset'), `${aheadS}\n`)
  await writeFile(join(etc, 'ld.so.preload'), '/etc/community-lab-clock.so\n')
}
