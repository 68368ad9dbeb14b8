import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { patienceMs } from '../../../support/eventually.ts'

/** A process whose output lines can be waited for. */
export interface WatchedProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  /** Wait for a line that fits, from the `after`-th on (default: the first). */
  line(fits: (line: string) => boolean, after?: number): Promise<string>
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Start a process and keep what it prints. */
export function startProcess(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): WatchedProcess {
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const wake of waiting) wake()
    })
  }
  child.on('exit', () => {
    for (const wake of waiting) wake()
  })
  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  return {
    child,
    lines,
    kill,
    line(fits, after = 0) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => fail('did not print the line in time'), patienceMs)
        const fail = (why: string): void => {
          clearTimeout(timer)
          waiting.delete(look)
          reject(new Error(`${argv.join(' ')} ${why}:\n${lines.join('\n')}`))
        }
        const look = (): void => {
          const found = lines.slice(after).find(fits)
          if (found !== undefined) {
            clearTimeout(timer)
            waiting.delete(look)
            resolve(found)
          } else if (child.exitCode !== null || child.signalCode !== null) fail('ended')
        }
        waiting.add(look)
        look()
      })
    },
    [Symbol.asyncDispose]: () => kill('SIGTERM'),
  }
}
