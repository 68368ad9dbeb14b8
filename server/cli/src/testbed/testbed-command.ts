import { fromProblem, LabError, type Problem } from '@community-lab/contract'
import type { Context } from '../context.ts'
import { startChild } from '../process/child.ts'
import { onLines } from '../process/lines.ts'
import { maybeProgress, type Ready } from './progress.ts'
import { createTeller } from './teller.ts'
import { testbedProgram } from './virtual-testbed.ts'

/** The most time for a command to undo its work, in milliseconds. */
const graceMs = 60_000

/**
 * Run a command of the virtual testbed's program, print its progress, and wait for its end. Returns the program's `ready` document, if there was one.
 *
 * @throws {@link LabError} the program's error; LAB_VCT_COMMAND_FAILED when it fails without an error.
 */
export async function runTestbedCommand(
  context: Context,
  args: readonly string[],
  options: { readonly json?: boolean } = {},
): Promise<Ready | null> {
  const { signal } = context
  const child = startChild([...testbedProgram(context), ...args, '--home', context.home], {
    cwd: context.checkout,
    env: context.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const heard: { ready: Ready | null; problem: Problem | null; last: string } = {
    ready: null,
    problem: null,
    last: '',
  }
  const teller = createTeller(context, options)
  const read = (line: string): void => {
    const progress = maybeProgress(line)
    if (line.trim() !== '') heard.last = line
    if (progress?.kind === 'ready') heard.ready = progress.ready
    if (progress?.kind === 'error') heard.problem = progress.problem
    if (progress !== null) teller.tell(progress, line)
  }
  for (const stream of [child.process.stdout, child.process.stderr])
    if (stream !== null) onLines(stream, read)
  const stop = (): void => void child.stop(graceMs)
  signal.addEventListener('abort', stop, { once: true })
  const { code, reason } = await child.ended
  signal.removeEventListener('abort', stop)
  teller.end()
  signal.throwIfAborted()
  if (heard.problem !== null) throw fromProblem(heard.problem)
  if (code !== 0)
    throw new LabError('LAB_VCT_COMMAND_FAILED', {
      what: 'the virtual testbed',
      command: args.join(' '),
      reason: heard.last === '' ? reason : `${reason}: ${heard.last}`,
    })
  return heard.ready
}
