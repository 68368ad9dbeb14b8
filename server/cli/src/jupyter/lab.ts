import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from '@community-lab/contract'
import { filesOf, type Context } from '../context.ts'
import { startChild, type Ending } from '../process/child.ts'
import { onLines } from '../process/lines.ts'
import { requireFile } from '../set-up.ts'
import {
  jupyterEnvironment,
  jupyterFolders,
  labConfiguration,
  settingOverrides,
} from './configuration.ts'

/** The most time for JupyterLab to end its kernels, in milliseconds. */
const graceMs = 10_000
const lookEveryMs = 50

/** Options of {@link startLab}. */
export interface LabOptions {
  readonly port: number
  readonly token: string
  readonly rootDir: string
  readonly serverSocket: string
  readonly credentialsFile: string
}

/** A running JupyterLab. Disposing ends it. */
export interface RunningLab extends AsyncDisposable {
  readonly logFile: string
  /** Settles when JupyterLab ends by itself. */
  readonly ended: Promise<Ending>
  /** Return the last line of its log. */
  lastLine(): string
}

/** Start JupyterLab and wait until it answers. @throws {@link LabError} LAB_CLI_JUPYTER_ENDED, LAB_CLI_NOT_SET_UP. */
export async function startLab(context: Context, options: LabOptions): Promise<RunningLab> {
  const { checkout, signal } = context
  const files = filesOf(context.home)
  const program = requireFile(checkout, '.venv/bin/jupyter-lab')
  const folders = jupyterFolders(files.jupyter)
  await writeConfiguration(context, options)
  const logFile = join(files.logs, 'jupyter.log')
  const log = createWriteStream(logFile)
  const child = startChild([program], {
    cwd: checkout,
    env: {
      ...context.env,
      ...jupyterEnvironment(folders, checkout),
      // Every user of the machine can read arguments, but not the environment.
      JUPYTER_TOKEN: options.token,
      COMMUNITY_LAB_HOME: context.home,
      COMMUNITY_LAB_CREDENTIALS: options.credentialsFile,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const up = Promise.withResolvers<undefined>()
  const ended = new AbortController()
  let lastLine = ''
  const read = (line: string): void => {
    log.write(`${line}\n`)
    if (line.trim() !== '') lastLine = line.trim()
    if (/Jupyter Server .* is running at:/u.test(line))
      void answering(options.port, ended.signal).then(up.resolve)
  }
  for (const stream of [child.process.stdout, child.process.stderr])
    if (stream !== null) onLines(stream, read)
  void child.ended.then(({ reason }) => {
    log.end()
    ended.abort()
    up.reject(new LabError('LAB_CLI_JUPYTER_ENDED', { reason, log: logFile, lastLine }))
  })
  const interrupt = (): void => {
    ended.abort()
    up.reject(signal.reason)
  }
  signal.addEventListener('abort', interrupt, { once: true })
  if (signal.aborted) interrupt()
  try {
    await up.promise
    return {
      logFile,
      ended: child.ended,
      lastLine: () => lastLine,
      [Symbol.asyncDispose]: () => child.stop(graceMs),
    }
  } catch (error) {
    await child.stop(graceMs)
    throw error
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

async function writeConfiguration(context: Context, options: LabOptions): Promise<void> {
  const files = filesOf(context.home)
  const folders = jupyterFolders(files.jupyter)
  for (const folder of [...Object.values(folders), files.logs])
    await mkdir(folder, { recursive: true, mode: 0o700 })
  await mkdir(join(folders.config, 'labconfig'), { recursive: true })
  const root = process.getuid?.() === 0
  const documents = [
    ['jupyter_lab_config.json', labConfiguration({ ...options, root })],
    ['labconfig/default_setting_overrides.json', settingOverrides],
  ] as const
  for (const [name, document] of documents)
    await writeFile(join(folders.config, name), `${JSON.stringify(document, null, 2)}\n`, {
      mode: 0o600,
    })
}

/** Wait until a port answers, or until the signal is aborted. JupyterLab prints its address before it listens. */
async function answering(port: number, signal: AbortSignal): Promise<undefined> {
  while (!signal.aborted) {
    const answers = await fetch(`http://127.0.0.1:${port}/api`, { signal }).then(
      async (response) => {
        await response.body?.cancel()
        return true
      },
      // The port does not answer yet. If JupyterLab has ended, the signal ends the wait.
      () => false,
    )
    if (answers) return
    await delay(lookEveryMs)
  }
}
