import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { LabError, messageOf } from '@community-lab/contract'
import { isProcessGone } from '../../errno.ts'
import { startedProcess } from '@community-lab/contract/host'

/** The folders of Debian's commands for networks and containers, which may be missing in PATH. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The longest time until a killed command has ended, in milliseconds. */
const killWithinMs = 1_000

/** Options of {@link runCommand}. */
export interface CommandOptions {
  readonly input?: string
  readonly cwd?: string
  readonly signal?: AbortSignal
}

/**
 * Run a command of this host to its end. Returns its standard output. An abort kills the command and all processes that it has started.
 * @throws {@link LabError} LAB_SLIVER_COMMAND_FAILED with its standard error. An abort throws the signal's reason.
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { input = '', cwd = '/', signal } = options
  signal?.throwIfAborted()
  const [command = '', ...args] = argv
  const failed = (reason: string): LabError =>
    new LabError('LAB_SLIVER_COMMAND_FAILED', { command: argv.slice(0, 4).join(' '), reason })
  const child = await startedProcess(
    spawn(command, args, {
      cwd,
      env: { PATH: systemPath, LC_ALL: 'C' },
      stdio: 'pipe',
      // The command leads a process group, so that its children are killed with it.
      detached: true,
      ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' as const }),
    }),
  ).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw failed(messageOf(error))
  })
  // A command that ends without reading its input breaks the pipe. Only its exit code matters.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = once(child, 'close').then(
    ([code, by]: unknown[]) => (code === 0 ? null : `ended with ${String(code ?? by)}`),
    messageOf,
  )
  const done = Promise.all([ended, text(child.stdout), textStart(child.stderr)])
  const [problem, out, said] = (await unlessStuck(done, child, signal)) ?? ['it was killed', '', '']
  signal?.throwIfAborted()
  if (problem === null) return out
  const reason = said.trim().replaceAll('\n', '; ') || problem
  throw failed(reason)
}

/**
 * Settle with `done`. But when the signal has killed the command and the kernel does not end it, because it waits for a device, stop waiting after a second.
 */
async function unlessStuck<T>(
  done: Promise<T>,
  child: ChildProcess,
  signal: AbortSignal | undefined,
): Promise<T | null> {
  const stuck = Promise.withResolvers<null>()
  const timers: NodeJS.Timeout[] = []
  const letGo = (): void => {
    for (const stream of child.stdio) stream?.destroy()
    child.unref()
    stuck.resolve(null)
  }
  const giveUpSoon = (): void => {
    killGroup(child)
    timers.push(setTimeout(letGo, killWithinMs))
  }
  signal?.addEventListener('abort', giveUpSoon, { once: true })
  try {
    return await Promise.race([done, stuck.promise])
  } finally {
    signal?.removeEventListener('abort', giveUpSoon)
    for (const timer of timers) clearTimeout(timer)
  }
}

/** The most characters of a command's standard error that are kept. A stranger's archive may have tar write a line for each of a million files. */
const mostSaid = 64 * 1024

/** Read a stream to its end, and return the start of it. */
async function textStart(stream: Readable): Promise<string> {
  let start = ''
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>)
    start += chunk.slice(0, mostSaid - start.length)
  return start
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!isProcessGone(error)) throw error
  }
}

/** Describe a failure in one line. */
export function reasonOf(error: unknown): string {
  if (LabError.is(error, 'LAB_SLIVER_COMMAND_FAILED')) return error.details.reason
  return messageOf(error)
}
