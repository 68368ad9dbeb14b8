import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { confirmAtTerminal } from '../../../server/cli/src/output/confirm.ts'

async function answerOf(keys: string): Promise<{ answer: unknown; isStopped: boolean }> {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  const output = Object.assign(new PassThrough().resume(), { isTTY: true })
  const stop = new AbortController()
  const asked = confirmAtTerminal(input, output, stop)?.('Restart it?').catch(() => 'none')
  input.write(keys)
  return { answer: await asked, isStopped: stop.signal.aborted }
}

it('takes y and yes for yes, all else for no, and Ctrl-C for the end of the command', async () => {
  expect(await answerOf('y\r')).toEqual({ answer: true, isStopped: false })
  expect(await answerOf('YES\r')).toEqual({ answer: true, isStopped: false })
  expect(await answerOf('yet\r')).toEqual({ answer: false, isStopped: false })
  expect(await answerOf('\u0004')).toEqual({ answer: false, isStopped: false })
  expect(await answerOf('\u0003')).toEqual({ answer: 'none', isStopped: true })
})

it('asks nobody where there is no terminal', () => {
  expect(confirmAtTerminal(new PassThrough(), new PassThrough(), new AbortController())).toBeNull()
})
