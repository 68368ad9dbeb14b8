import type { Writable } from 'node:stream'
import { LabError } from '@community-lab/contract'
import {
  abortSignal,
  anObject,
  checkArgument,
  checkOptions,
  durationMs,
  textMap,
  textOrBytes,
  words,
  type Kind,
} from '../argument.ts'
import { describeCause } from '../http/client.ts'
import { anySignal, reasonOf, timeoutSignal } from '../wait/signal.ts'
import type { StartedCommand } from './connection.ts'
import type { Lease } from './connections.ts'
import { OutputBuffer } from './output.ts'
import type { SshPool, SshTarget } from './pool.ts'
import { createResult, type CommandResult, type Ending } from './result.ts'
import { shellLine, type CommandPlace } from './shell-line.ts'
import { hangUp } from './hang-up.ts'
import { startCommand } from './start.ts'

/** Options of a command. */
export interface ExecOptions extends CommandPlace {
  /**
   * After this time, the command and all processes that it has started are ended, and its result has LAB_COMMAND_TIMEOUT. In milliseconds; default: no limit.
   */
  readonly timeoutMs?: number
  /** When it is aborted, the command and all processes that it has started are ended. */
  readonly signal?: AbortSignal
  /** The standard input of the command; default: none. */
  readonly input?: string | Uint8Array
}

/** The types of the options of a command. */
const execKinds = {
  cwd: words,
  env: textMap,
  timeoutMs: durationMs,
  input: textOrBytes,
  signal: abortSignal,
}

/** Options of a command as they may be given. Who knows execFile may give arguments in their place. */
const execOptions: Kind = {
  ...anObject,
  expected:
    "an object. A program and its arguments are one list, as in exec(['ping', '-c', '3', host])",
}

/** Check the options of a command. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkExecOptions(options: unknown): void {
  checkArgument('the options of a command', options, execOptions)
  checkOptions('a command', options, execKinds)
}

/** A command with its options, for {@link execOn}. */
export interface Execution extends ExecOptions {
  /** A line of shell. */
  readonly command: string
  readonly signal: AbortSignal
  /** A stream for stdout as it arrives; the result has no stdout then. */
  readonly sink?: Writable
}

/**
 * Run a command on a sliver. A failure is in the result's `error`. Only the reason of an aborted signal is thrown.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID.
 */
export async function execOn(
  pool: SshPool,
  target: SshTarget,
  { command, signal, ...options }: Execution,
): Promise<CommandResult> {
  const line = shellLine(command, options)
  const timeout = timeoutSignal(options.timeoutMs)
  const until = anySignal(signal, timeout ?? undefined)
  const startedAt = new Date()
  const start = performance.now()
  const output = { stdout: new OutputBuffer(), stderr: new OutputBuffer() }
  const finish = (ending: Ending): CommandResult => {
    const durationMs = performance.now() - start
    return createResult({ ...target, ...output, ...ending, startedAt, durationMs })
  }
  const fail = (error: LabError): CommandResult => finish({ exitCode: null, signal: null, error })
  const { id: sliver, node } = target
  try {
    const { lease, started } = await startCommand(pool, target, { command: line, signal: until })
    const { input = '', sink } = options
    return finish(await follow(started, { lease, target, output, input, sink, signal: until }))
  } catch (cause) {
    signal.throwIfAborted()
    if (timeout?.aborted === true) {
      const waitedMs = options.timeoutMs ?? 0
      return fail(new LabError('LAB_COMMAND_TIMEOUT', { sliver, node, waitedMs }, { cause }))
    }
    if (LabError.is(cause)) return fail(cause)
    const reason = describeCause(cause)
    return fail(new LabError('LAB_SSH_FAILED', { sliver, node, reason }, { cause }))
  }
}

interface Following {
  readonly lease: Lease
  readonly target: SshTarget
  readonly output: { readonly stdout: OutputBuffer; readonly stderr: OutputBuffer }
  readonly input: string | Uint8Array
  readonly sink: Writable | undefined
  readonly signal: AbortSignal
}

/** Write the input of a command and collect its output until it ends. */
function follow(started: StartedCommand, following: Following): Promise<Ending> {
  const { channel } = started
  const { lease, target, output, input, sink, signal } = following
  return new Promise((resolve, reject) => {
    const lost = (reason: string): void => {
      const { id: sliver, node } = target
      lease.end('lost')
      const error = new LabError('LAB_COMMAND_LOST', { sliver, node, reason })
      resolve({ exitCode: null, signal: null, error })
    }
    let isGivenUp = false
    const abort = (): void => {
      isGivenUp = true
      hangUp(lease, started)
      reject(reasonOf(signal))
    }
    const stop = lease.connection.onEnd(lost)
    if (sink === undefined) channel.on('data', (chunk: Buffer) => output.stdout.add(chunk))
    else channel.pipe(sink)
    channel.stderr.on('data', (chunk: Buffer) => output.stderr.add(chunk))
    channel.on('error', (error: Error) => lost(error.message))
    channel.on('close', () => {
      stop()
      signal.removeEventListener('abort', abort)
      if (!isGivenUp) lease.end('free')
      if (started.exit === null) lost('it ended without an exit code')
      else resolve({ ...started.exit, error: null })
    })
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    channel.end(input)
  })
}
