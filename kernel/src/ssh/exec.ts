import { LabError } from '@community-lab/contract'
import { describeCause } from '../http/client.ts'
import { joinSignals, orAborted, reasonOf } from '../wait/signal.ts'
import { NothingSent, type SshConnection, type StartedCommand } from './connection.ts'
import type { SshPool, SshTarget } from './pool.ts'
import type { CommandResult } from './result.ts'

/** Options of a command. */
export interface ExecOptions {
  /** After this long the command is hung up and its result carries LAB_COMMAND_TIMEOUT; default: no limit. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** What the command reads from its standard input; default: nothing. */
  readonly input?: string | Uint8Array
}

/** The most output kept of a command, in bytes, for each of stdout and stderr. */
const maxOutputBytes = 64 * 1024 * 1024

/**
 * Run a command on a sliver. What goes wrong there is in the result's `error`, never thrown; only an abort (by the signal, or the notebook's interrupt)
 * is thrown.
 */
export async function execOn(
  pool: SshPool,
  target: SshTarget,
  { command, ...options }: ExecOptions & { readonly command: string },
): Promise<CommandResult> {
  const signal = joinSignals(options.signal)
  const startedAt = new Date()
  const start = performance.now()
  const output = { stdout: new Output(), stderr: new Output() }
  const finish = (ending: Ending): CommandResult => ({
    sliver: target.id,
    node: target.node,
    exitCode: ending.exitCode,
    signal: ending.signal,
    stdout: output.stdout.text(),
    stderr: output.stderr.text(),
    truncated: output.stdout.truncated || output.stderr.truncated,
    startedAt,
    durationMs: performance.now() - start,
    ok: ending.exitCode === 0 && ending.error === null,
    error: ending.error,
  })
  const timeout = options.timeoutMs === undefined ? null : AbortSignal.timeout(options.timeoutMs)
  const until = timeout === null ? signal : AbortSignal.any([signal, timeout])
  const failed = (error: LabError): CommandResult => finish({ exitCode: null, signal: null, error })
  try {
    const { connection, started } = await begin(pool, target, { command, signal: until })
    const input = options.input ?? ''
    return finish(await follow(started, { connection, target, output, input, signal: until }))
  } catch (cause) {
    signal.throwIfAborted()
    const { id: sliver, node } = target
    if (timeout?.aborted === true) {
      const waitedMs = options.timeoutMs ?? 0
      return failed(new LabError('LAB_COMMAND_TIMEOUT', { sliver, node, waitedMs }, { cause }))
    }
    if (LabError.is(cause)) return failed(cause)
    const reason = describeCause(cause)
    return failed(new LabError('LAB_SSH_FAILED', { sliver, node, reason }, { cause }))
  }
}

interface Ending {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly error: LabError | null
}

/** A connection that has broken unnoticed is replaced once, if the command cannot have left yet. */
async function begin(
  pool: SshPool,
  target: SshTarget,
  { command, signal }: { readonly command: string; readonly signal: AbortSignal },
): Promise<{ connection: SshConnection; started: StartedCommand }> {
  for (let attempt = 1; ; attempt++) {
    const connection = await orAborted(pool.connect(target, signal), signal)
    try {
      const started = await orAborted(startCommand(connection, target, command), signal)
      return { connection, started }
    } catch (error) {
      if (!(error instanceof NothingSent) || attempt > 1) throw error
      pool.drop([target.id])
    }
  }
}

/** Start it; if the connection ends first, whether the command was begun is unknown. */
function startCommand(
  connection: SshConnection,
  { id: sliver, node }: SshTarget,
  command: string,
): Promise<StartedCommand> {
  return new Promise((resolve, reject) => {
    const started = connection.exec(command)
    const stop = connection.onEnd((reason) => {
      // A refusal that names nothing sent arrives by itself, and first.
      queueMicrotask(() => reject(new LabError('LAB_COMMAND_LOST', { sliver, node, reason })))
    })
    started.then(resolve, reject).finally(stop)
  })
}

interface Following {
  readonly connection: SshConnection
  readonly target: SshTarget
  readonly output: { readonly stdout: Output; readonly stderr: Output }
  readonly input: string | Uint8Array
  readonly signal: AbortSignal
}

function follow(started: StartedCommand, following: Following): Promise<Ending> {
  const { channel } = started
  const { connection, target, output, input, signal } = following
  return new Promise((resolve, reject) => {
    const lost = (reason: string): void =>
      resolve({
        exitCode: null,
        signal: null,
        error: new LabError('LAB_COMMAND_LOST', { sliver: target.id, node: target.node, reason }),
      })
    const abort = (): void => {
      // Hanging up ends a command only if it minds; what must be ended says so with a signal first.
      channel.signal('TERM')
      channel.close()
      reject(reasonOf(signal))
    }
    const stop = connection.onEnd(lost)
    channel.on('data', (chunk: Buffer) => output.stdout.add(chunk))
    channel.stderr.on('data', (chunk: Buffer) => output.stderr.add(chunk))
    channel.on('error', (error: Error) => lost(error.message))
    channel.on('close', () => {
      stop()
      signal.removeEventListener('abort', abort)
      if (started.exit === null) lost('it ended without an exit code')
      else resolve({ ...started.exit, error: null })
    })
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    channel.end(input)
  })
}

/** Output, up to a bound; beyond it the command goes on, and its output is read and dropped. */
class Output {
  #chunks: Buffer[] = []
  #bytes = 0
  truncated = false

  add(chunk: Buffer): void {
    const room = maxOutputBytes - this.#bytes
    if (chunk.length > room) this.truncated = true
    if (room <= 0) return
    this.#chunks.push(chunk.subarray(0, room))
    this.#bytes += Math.min(room, chunk.length)
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString()
  }
}
