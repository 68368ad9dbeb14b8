import { spawn } from 'node:child_process'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fromProblem, LabError } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { stayLine } from '../launch/lifeline.ts'
import { foldersOf } from '../pod/folders.ts'
import type { UpArguments } from './arguments.ts'
import { ProgressLine, type Say } from '../progress.ts'

/**
 * Start a testbed in the background, report its progress, and settle when it is up. It then runs until it is stopped. When the signal is aborted before
 * that, or this process ends, the testbed is stopped.
 *
 * @throws {@link LabError} the testbed's error; LAB_VCT_POD_ENDED when it ends without an error; the signal's reason.
 */
export async function bringUpDetached(
  args: UpArguments,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const template = args.template === null ? [] : ['--template', args.template]
  const child = spawn(
    process.execPath,
    [
      ...[process.argv[1] ?? '', 'up', '--foreground', '--home', args.home],
      ...['--nodes', `${args.nodes}`, '--port', `${args.port}`, ...template],
    ],
    { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] },
  )
  const up = Promise.withResolvers<undefined>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line: unknown = JSON.parse(text)
    if (!Value.Check(ProgressLine, line)) return
    if ('error' in line) {
      up.reject(fromProblem(line.error))
      return
    }
    say(line)
    if ('ready' in line) up.resolve(undefined)
  })
  child.stdin.on('error', () => {
    // The process has ended, which `close` reports.
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, by) => resolve(by ?? `exit code ${code ?? -1}`))
  })
  void ended.then((reason) => {
    const log = foldersOf(args.home).log('vct')
    up.reject(new LabError('LAB_VCT_POD_ENDED', { reason, log }))
  })
  const stop = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', stop, { once: true })
  try {
    await up.promise
    await new Promise((resolve) => child.stdin.end(`${stayLine}\n`, () => resolve(null)))
    child.stdout.destroy()
    child.unref()
  } catch (error) {
    // It reports the error before it has cleaned up.
    await ended
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
