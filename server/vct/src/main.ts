import process from 'node:process'
import { LabError, messageOf, toProblem } from '@community-lab/contract'
import { parseArguments, usage } from './command/arguments.ts'
import { bringUpDetached } from './command/detach.ts'
import { readStatus, takeDown } from './command/down.ts'
import type { ProgressLine } from './progress.ts'
import { bringUp } from './command/up.ts'
import { holdLifeline } from './launch/lifeline.ts'

/** The program of the virtual testbed. It reports its progress as lines of JSON (`ProgressLine`), and Community-Lab's command line shows them to people. */
async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) {
    process.stdout.write(`${usage}\n`)
    return
  }
  const args = parseArguments(argv)
  const { signal } = abort
  if (args.command === 'down') await takeDown(args.home, say, signal)
  else if (args.command === 'status')
    process.stdout.write(`${JSON.stringify(await readStatus(args.home, signal))}\n`)
  else if (args.life === 'background') await bringUpDetached(args, say, signal)
  else {
    holdLifeline(stop)
    await bringUp(args, say, signal)
  }
}

const abort = new AbortController()

function stop(reason: string): void {
  abort.abort(new DOMException(`stopped: ${reason}`, 'AbortError'))
}

function say(line: ProgressLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
// The reader of this output may have gone. The testbed must end properly all the same.
process.stdout.on('error', () => undefined)
try {
  await main(process.argv.slice(2))
  process.exit(0)
} catch (error) {
  // It was asked to end before it was up, and has ended.
  if (abort.signal.aborted) process.exit(130)
  const what = messageOf(error)
  if (!LabError.is(error) && error instanceof Error)
    process.stderr.write(`${error.stack ?? what}\n`)
  say({ error: toProblem(LabError.is(error) ? error : new LabError('LAB_INTERNAL', { what })) })
  process.exit(1)
}
