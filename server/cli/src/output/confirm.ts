import { createInterface } from 'node:readline/promises'

/** Pipes and files have no `isTTY`. */
interface MaybeTerminal {
  readonly isTTY?: boolean
}

/**
 * Ask yes or no at a terminal, on stderr, so that results on stdout stay alone. Anything but `y` and `yes` is no; so is the end of the input. Null where one of
 * both is no terminal. Ctrl-C, which a terminal that is asked at gives as a key, aborts `stop`.
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
