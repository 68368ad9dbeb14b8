import { mkdir } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fromProblem, LabError } from '@community-lab/contract'
import { filesOf, type Context } from '../context.ts'
import { startChild, type Ending } from '../process/child.ts'
import { onLines } from '../process/lines.ts'
import { requireFile } from '../set-up.ts'
import { maybeProgress, type Ready } from './progress.ts'
import { createTeller } from './teller.ts'

/** The most time for the virtual testbed to clean up before it is killed, in milliseconds. */
const graceMs = 60_000

/** Options of {@link bringUpTestbed}. */
export interface TestbedOptions {
  readonly nodes: number
  /** The server's port on 127.0.0.1. */
  readonly port: number
  /** Print progress as JSON, one document per line. */
  readonly json?: boolean
}

/** A running virtual testbed. Disposing ends it. */
export interface OwnTestbed extends AsyncDisposable {
  readonly ready: Ready
  readonly logFile: string
  /** Settles when the testbed ends by itself. */
  readonly ended: Promise<Ending>
}

/** Return the command of the virtual testbed's program. @throws {@link LabError} LAB_CLI_NOT_SET_UP. */
export function testbedProgram({ checkout }: Context): readonly string[] {
  return [process.execPath, requireFile(checkout, 'server/vct/dist/main.bundle.js')]
}

/**
 * Start a virtual testbed, and print its progress. When it is stopped during its start, or fails, this rejects after all of it has ended.
 *
 * @throws {@link LabError} the virtual testbed's error; LAB_VCT_POD_ENDED when it ends without an error.
 */
export async function bringUpTestbed(
  context: Context,
  options: TestbedOptions,
): Promise<OwnTestbed> {
  const { home, signal, checkout } = context
  const { logs } = filesOf(home)
  await mkdir(logs, { recursive: true })
  const logFile = join(logs, 'vct-start.log')
  const argv = [
    ...[...testbedProgram(context), 'up', '--foreground', '--home', home],
    ...['--nodes', String(options.nodes), '--port', String(options.port)],
  ]
  const child = startChild(argv, {
    cwd: checkout,
    env: context.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(logFile)
  const teller = createTeller(context, options)
  const first = Promise.withResolvers<Ready>()
  const read = (line: string): void => {
    log.write(`${line}\n`)
    const progress = maybeProgress(line)
    if (progress === null) return
    teller.tell(progress, line)
    if (progress.kind === 'error') first.reject(fromProblem(progress.problem))
    if (progress.kind === 'ready') first.resolve(progress.ready)
  }
  for (const stream of [child.process.stdout, child.process.stderr])
    if (stream !== null) onLines(stream, read)
  void child.ended.then(({ reason }) => {
    log.end()
    first.reject(new LabError('LAB_VCT_POD_ENDED', { reason, log: logFile }))
  })
  const interrupt = (): void => first.reject(signal.reason)
  signal.addEventListener('abort', interrupt, { once: true })
  if (signal.aborted) interrupt()
  try {
    const ready = await first.promise
    return {
      ready,
      logFile,
      ended: child.ended,
      [Symbol.asyncDispose]: () => child.stop(graceMs),
    }
  } catch (error) {
    await child.stop(graceMs)
    throw error
  } finally {
    teller.end()
    signal.removeEventListener('abort', interrupt)
  }
}
