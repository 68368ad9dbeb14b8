import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { ProgressLine, type ReadyLine } from '../../server/vct/src/progress.ts'
import { Value } from 'typebox/value'
import type { Place } from './place.ts'

/** The message of a testbed when it is up. */
export type Ready = ReadyLine['ready']

/** Options of {@link startTestbedProcess}. */
export interface ProcessOptions {
  readonly place: Place
  readonly home: string
  readonly nodes: number
  readonly port: number
  readonly env: Readonly<Record<string, string>>
}

/** The launcher of a running testbed. */
export interface TestbedProcess {
  readonly ready: Ready
  readonly pid: number
  /** End it like Ctrl-C, and wait until it has ended. Idempotent. */
  stop(): Promise<void>
}

/** Start the virtual testbed's program and wait until it is up. The error of a failure contains its output. */
export async function startTestbedProcess(options: ProcessOptions): Promise<TestbedProcess> {
  const { place, home, nodes, port, env } = options
  const argv = place.wrap([
    join(place.checkout, 'node_modules/.bin/node'),
    join(place.checkout, 'server/vct/dist/main.bundle.js'),
    ...['up', '--foreground', '--home', home, '--nodes', `${nodes}`, '--port', `${port}`],
    ...['--template', join(place.checkout, '.community-lab/templates/tiny.tar.gz')],
  ])
  const [program = '', ...rest] = argv
  const child = spawn(program, rest, {
    // The testbed ends when its standard input does, and so with these tests, however they end.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    // The testbed has its own process group, so that Ctrl-C reaches it only through the tests.
    detached: true,
  })
  const said: string[] = []
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code ?? -1}`))
  })
  const log = createWriteStream(join(home, 'launcher.log'), { flags: 'a' })
  const ready = Promise.withResolvers<Ready>()
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`)
      said.push(line)
      const progress = maybeProgress(line)
      if (progress !== null && 'ready' in progress) ready.resolve(progress.ready)
    })
  void ended.then((reason) => {
    log.end()
    ready.reject(
      new Error(`the testbed did not come up (${reason}):\n${said.slice(-20).join('\n')}`),
    )
  })
  return {
    ready: await ready.promise,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function maybeProgress(line: string): ProgressLine | null {
  try {
    const document: unknown = JSON.parse(line)
    return Value.Check(ProgressLine, document) ? document : null
  } catch {
    // The line is not of the testbed's protocol: it is an error message.
    return null
  }
}
