import { createInterface } from 'node:readline/promises'
import { LabError } from '@community-lab/contract'
import type { Context } from '../context.ts'
import type { PrintOptions } from './print.ts'

/** Options of a command that destroys something. */
export interface ConfirmOptions extends PrintOptions {
  /** Do it without asking. */
  readonly yes?: boolean
}

/** A description of what a command is about to destroy. */
export interface Loss {
  /** The action, such as `releasing slice first`. */
  readonly deed: string
  /** Its cost, as the rest of that sentence: `removes its slivers (3)`. */
  readonly costs: string
  /** The question, such as `Release it?`. */
  readonly question: string
}

/**
 * Return only if the person at the terminal agrees, or has agreed by `--yes`.
 *
 * @throws {@link LabError} LAB_CLI_STOPPED for a no; LAB_CLI_USAGE when nobody can be asked.
 */
export async function requireYes(
  { confirm }: Context,
  options: ConfirmOptions,
  { deed, costs, question }: Loss,
): Promise<void> {
  if (options.yes === true) return
  const what = `${deed} ${costs}`
  if (confirm === null)
    throw new LabError('LAB_CLI_USAGE', {
      problem: `${what}; give --yes where nobody can be asked`,
    })
  if (!(await confirm(`${what}. ${question}`)))
    throw new LabError('LAB_CLI_STOPPED', { what: deed })
}

/** A stream that may be a terminal. Pipes and files have no `isTTY`. */
export interface MaybeTerminal {
  readonly isTTY?: boolean
}

/**
 * Ask yes or no at a terminal, on stderr, so that stdout has only results. Every answer except `y` and `yes` means no, and so does the end of the input.
 * Returns null when input or output is not a terminal. While the terminal waits for an answer, it reports Ctrl-C as a key; this aborts `stop`.
 */
export function confirmAtTerminal(
  input: NodeJS.ReadableStream & MaybeTerminal,
  output: NodeJS.WritableStream & MaybeTerminal,
  stop: AbortController,
): ((question: string) => Promise<boolean>) | null {
  if (input.isTTY !== true || output.isTTY !== true) return null
  return async (question) => {
    const asking = createInterface({ input, output })
    asking.once('SIGINT', () => stop.abort())
    const closed = new Promise<string>((resolve) => asking.once('close', () => resolve('')))
    try {
      const asked = asking.question(`${question} [y/N] `, { signal: stop.signal })
      const answer = await Promise.race([asked, closed])
      return /^y(?:es)?$/iu.test(answer.trim())
    } finally {
      asking.close()
    }
  }
}
