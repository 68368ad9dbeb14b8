import { createInterface } from 'node:readline/promises'

/** Pipes and files have no `isTTY`. */
interface MaybeTerminal {
  readonly isTTY?: boolean
}

/**
 * Ask yes or no at a terminal, on stderr, so that results on stdout stay alone. Anything but `y` and `yes` is no; so is the end of the input. Null where one of
 * both is no terminal.
 */
export function confirmAtTerminal(
  input: NodeJS.ReadableStream & MaybeTerminal,
  output: NodeJS.WritableStream & MaybeTerminal,
  signal: AbortSignal,
): ((question: string) => Promise<boolean>) | null {
  if (input.isTTY !== true || output.isTTY !== true) return null
  return async (question) => {
    const asking = createInterface({ input, output })
    const closed = new Promise<string>((resolve) => asking.once('close', () => resolve('')))
    try {
      const answer = await Promise.race([asking.question(`${question} [y/N] `, { signal }), closed])
      return /^y(?:es)?$/iu.test(answer.trim())
    } finally {
      asking.close()
    }
  }
}
