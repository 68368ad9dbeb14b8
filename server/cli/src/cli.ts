import type { Context } from './context.ts'
import { explainFailure } from './output/failure.ts'
import { createProgram, type Outcome } from './program.ts'

/** Run a command line; `args` does not contain the program's name. Returns the exit code; never rejects. */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  const outcome: Outcome = { exitCode: 0 }
  const json = args.includes('--json')
  try {
    await createProgram(context, outcome, { json }).parseAsync([...args], { from: 'user' })
    return outcome.exitCode
  } catch (error) {
    return explainFailure(context, error, { json })
  }
}
