import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Value } from 'typebox/value'
import { systemPath } from '../network/namespace.ts'
import { PodLine, stopLine, type PodConfiguration } from '../pod/configuration.ts'
import { LogFile } from '../process/log-file.ts'
import { ownProgram } from '../process/own-program.ts'
import { maybeChildOf } from '../process/tree.ts'

/** Options of {@link startPod}. */
export interface PodOptions {
  readonly configuration: PodConfiguration
  /** The flags of `unshare` on this host. */
  readonly unshareFlags: readonly string[]
  readonly logFile: string
  readonly onLine: (line: PodLine) => void
}

/** The pod. Killing its first process ends all processes in it. */
export interface Pod {
  /** Settles with a description of the end when all processes of the pod have ended. Never rejects. */
  readonly ended: Promise<string>
  /** The last line of its log. */
  readonly lastLine: string
  /** The pid of its first process outside of the pod; null before its start and after its end. */
  readonly pid: number | null
  /** Ask the pod to end, wait, and kill it after `graceMs`. Settles when it has ended. */
  stop(graceMs: number): Promise<void>
}

/**
 * The pod's first process, a shell. It reaps orphaned processes, which Node.js does not do, and ends with the supervisor. A shell gives a
 * background process no standard input, so the supervisor gets the shell's own input by descriptor 3.
 */
const first = 'exec 3<&0; "$@" <&3 3<&- & exec 3<&- <&-; wait $!'

/** The kernel kills the pod when this process ends in any way. */
const withParent = ['setpriv', '--pdeathsig', 'KILL', '--']

/** Start a pod and its supervisor. */
export function startPod(options: PodOptions): Pod {
  const { configuration, unshareFlags, onLine } = options
  const log = new LogFile(options.logFile)
  const main = ownProgram(import.meta.filename, '../pod/pod-main')
  const supervisor = [configuration.node, main, JSON.stringify(configuration)]
  const shell = ['sh', '-c', first, 'community-lab-pod', ...supervisor]
  const [program = '', ...args] = [...withParent, 'unshare', ...unshareFlags, '--', ...shell]
  const child = spawn(program, args, {
    cwd: '/',
    // The pod has its own session, so Ctrl-C and a closed terminal reach it only through this process.
    detached: true,
    env: { PATH: systemPath, LANG: 'C.UTF-8', HOME: '/nonexistent' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  log.note(`the pod started: ${unshareFlags.join(' ')}`)
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = maybePodLine(text)
    if (line === null) log.write(Buffer.from(`${text}\n`))
    else onLine(line)
  })
  child.stderr.on('data', (chunk: Buffer) => log.write(chunk))
  child.stdin.on('error', () => {
    // The process has ended. `ended` reports it.
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code ?? -1}`))
  })
  void ended.then((reason) => {
    log.note(`the pod ended: ${reason}`)
    log.close()
  })
  return {
    ended,
    get lastLine() {
      return log.lastLine
    },
    get pid() {
      return child.pid === undefined ? null : maybeChildOf(child.pid)
    },
    async stop(graceMs) {
      child.stdin.write(`${stopLine}\n`)
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(killer)
    },
  }
}

function maybePodLine(text: string): PodLine | null {
  try {
    const document: unknown = JSON.parse(text)
    return Value.Check(PodLine, document) ? document : null
  } catch {
    // The line is a message in words.
    return null
  }
}
