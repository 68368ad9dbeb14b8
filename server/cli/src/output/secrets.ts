import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { LabError } from '@community-lab/contract'
import type { AskSecrets } from '../context.ts'
import type { MaybeTerminal } from './confirm.ts'

/**
 * Ask for secrets at a terminal, where they are not shown; otherwise read them from the input, a line each. While the terminal waits for an answer, it reports
 * Ctrl-C as a key; this aborts `stop`. The returned function throws {@link LabError} LAB_CLI_USAGE when the input has too few lines, LAB_CLI_STOPPED at the
 * terminal.
 */
export function secretsFrom(
  input: NodeJS.ReadableStream & MaybeTerminal,
  output: NodeJS.WritableStream & MaybeTerminal,
  stop: AbortController,
): AskSecrets {
  if (input.isTTY === true && output.isTTY === true)
    return async (questions) => {
      const answers: string[] = []
      for (const question of questions) answers.push(await askSilently(question))
      return answers
    }
  return async (questions) => {
    const lines: string[] = []
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      lines.push(line)
      if (lines.length === questions.length) break
    }
    const missing = questions[lines.length]
    if (missing !== undefined) {
      const problem = `the input has no line for: ${missing.toLowerCase()}`
      throw new LabError('LAB_CLI_USAGE', { problem })
    }
    return lines
  }

  async function askSilently(question: string): Promise<string> {
    output.write(`${question}: `)
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
    const asking = createInterface({ input, output: silent, terminal: true })
    asking.once('SIGINT', () => stop.abort())
    try {
      const closed = once(asking, 'close').then(() => null)
      const answer = await Promise.race([asking.question('', { signal: stop.signal }), closed])
      if (answer === null) throw new LabError('LAB_CLI_STOPPED', { what: 'asking for a secret' })
      return answer
    } finally {
      asking.close()
      output.write('\n')
    }
  }
}
