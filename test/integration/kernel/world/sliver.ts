import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import type { RunProgram } from '@community-lab/contract'

const run = promisify(execFile)

/** A dropbear server in mount and process namespaces of its own, with busybox's tools. To SSH clients it is like a sliver. `dir` must not be under /tmp. */
export interface DropbearSliver {
  readonly port: number
  readonly hostKey: string
  /** The file that receives the lines of its programs, beside a pipe at /run/community-lab/measure. */
  readonly measureFile: string
  /** Start a program as an agent does. Its processes are one group. */
  start(
    program: RunProgram,
    env: Readonly<Record<string, string>>,
    files?: Buffer | null,
  ): ChildProcess
  stop(): Promise<void>
  /** Whether it was stopped. Its programs are killed with it, and nothing starts in it any more. */
  readonly isStopped: boolean
}

/** Start a sliver. It accepts the keys of the file `authorizedKeys`, which may be written later. Needs root, dropbear and busybox. */
export async function startDropbear(dir: string): Promise<DropbearSliver> {
  const home = path.join(dir, 'home')
  const runDir = path.join(dir, 'run')
  await mkdir(path.join(home, '.ssh'), { recursive: true, mode: 0o700 })
  await mkdir(path.join(runDir, 'community-lab'), { recursive: true })
  await writeFile(path.join(home, '.ssh', 'authorized_keys'), '', { mode: 0o600 })
  const measureFile = path.join(dir, 'measured')
  await writeFile(measureFile, '')
  await run('mkfifo', [path.join(runDir, 'community-lab', 'measure')])
  const key = path.join(dir, 'host-key')
  const { stdout } = await run('dropbearkey', ['-t', 'ed25519', '-f', key])
  const hostKey = /^ssh-ed25519 \S+/mu.exec(stdout)?.[0] ?? ''
  const port = await freePort()
  const script = [
    'set -e',
    `mount --bind ${home} /root`,
    `mount --bind ${runDir} /run`,
    'mount -t tmpfs tmpfs /tmp',
    // A template has busybox's tools, which differ from Debian's.
    'for tool in sh awk tar setsid seq sed dirname cat; do mount --bind /usr/bin/busybox "$(readlink -f "$(command -v $tool)")"; done',
    `busybox sh -c 'exec 3<>/run/community-lab/measure; exec busybox cat <&3 >> ${measureFile}' &`,
    `exec dropbear -F -E -s -r ${key} -p 127.0.0.1:${port} -P /run/pid`,
  ]
  const child = spawn(
    'unshare',
    ['-m', '-p', '-f', '--mount-proc', '--kill-child', 'bash', '-c', script.join('\n')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  await listening(child)
  return {
    port,
    hostKey,
    measureFile,
    start({ script = '', argv, args = [], env: own = {} }, env, files = null) {
      const folder = `/tmp/community-lab/${env['COMMUNITY_LAB_RUN'] ?? ''}`
      const text = script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
      const write = 'printf %s "$1" > .script && chmod 755 .script && shift'
      if (files !== null) writeFileSync(path.join(home, 'files.tar'), files)
      const unpack = files === null ? 'true' : 'tar -xf /root/files.tar'
      const begin = argv === undefined ? `${write} && exec ./.script "$@"` : 'exec "$@"'
      const shell = `mkdir -p "$0" && cd "$0" && ${unpack} && ${begin} </dev/null 2>&1`
      const given = argv ?? [text, ...args]
      // The namespaces are those of the child of unshare, whose own pid namespace is the old one.
      const pid = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
      const enter = ['-t', pid, '-m', '-p', 'sh', '-c', shell, folder, ...given]
      return spawn('nsenter', enter, {
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
        env: { ...process.env, ...own, ...env },
      })
    },
    get isStopped() {
      return child.killed || child.exitCode !== null || child.signalCode !== null
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Authorize a key. */
export async function authorize(dir: string, publicKey: string): Promise<void> {
  const file = path.join(dir, 'home', '.ssh', 'authorized_keys')
  await writeFile(file, `${await readFile(file, 'utf8')}${publicKey}\n`, { mode: 0o600 })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function listening(child: ChildProcess): Promise<void> {
  let log = ''
  const heard = Promise.withResolvers<null>()
  // Read until the end, because a dropbear that cannot write its log is killed.
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString()
    if (log.includes('Not backgrounding')) heard.resolve(null)
    if (process.env['XLOG']) process.stdout.write(chunk.toString())
  })
  child.once('close', () => heard.reject(new Error(`dropbear did not start: ${log}`)))
  await heard.promise
}
