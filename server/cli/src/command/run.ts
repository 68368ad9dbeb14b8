import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import process from 'node:process'
import { Health, LabError, routes } from '@community-lab/contract'
import { filesOf, type Context } from '../context.ts'
import { findCredentials } from '../credentials.ts'
import { createClient } from '../http/client.ts'
import { jupyterEnvironment, jupyterFolders } from '../jupyter/configuration.ts'
import { printJson } from '../output/print.ts'
import { requireFreePorts } from '../process/port.ts'
import { requireFile } from '../set-up.ts'
import { bringUpTestbed } from '../testbed/virtual-testbed.ts'

/** What can be chosen of {@link run}. */
export interface RunOptions {
  /** Where the executed notebook goes; by default nowhere. */
  readonly output?: string
  /** `NAME=VALUE` each. */
  readonly param: readonly string[]
  readonly nodes: number
  readonly port: number
  readonly json?: boolean
}

/**
 * Execute a notebook without a browser, on the running testbed or else on one brought up for it and taken down afterwards. What its cells print
 * comes as they print it. Gives the exit code: not 0 when a cell failed.
 *
 * @throws {@link LabError} LAB_CLI_NO_FILE, LAB_CLI_NOT_SET_UP, and what bringing a testbed up throws.
 */
export async function run(
  context: Context,
  notebook: string,
  options: RunOptions,
): Promise<number> {
  const file = resolve(notebook)
  if (!existsSync(file)) throw new LabError('LAB_CLI_NO_FILE', { what: 'notebook', file })
  const python = requireFile(context.checkout, '.venv/bin/python')
  const script = requireFile(context.checkout, 'server/cli/jupyter/run_notebook.py')
  const running = await findRunning(context)
  await using own = running === null ? await bringUp(context, options) : null
  const credentials = running ?? own?.ready.credentialsFile
  const argv = [python, script, file]
  if (options.output !== undefined) argv.push('--output', resolve(options.output))
  for (const each of options.param) argv.push('--param', each)
  const code = await execute(context, argv, { credentials, json: options.json === true })
  if (options.json === true)
    printJson(context, { notebook: file, output: options.output ?? null, exit_code: code })
  return code
}

/** What to tell the notebook of a testbed that runs already: a credentials file, or nothing where the environment says it all; null: none runs. */
async function findRunning(context: Context): Promise<string | undefined | null> {
  const { env, home, signal } = context
  // A testbed that the user names is used, or the failure to reach it is told.
  if ((env['COMMUNITY_LAB_URL'] ?? '') !== '') return undefined
  const named = env['COMMUNITY_LAB_CREDENTIALS'] ?? ''
  if (named !== '') return resolve(named)
  try {
    const { url } = await findCredentials(context)
    const client = createClient({ base: url, signal, timeoutMs: 5_000 })
    await client.ask(Health, routes.health, { accept: [503] })
    return filesOf(home).credentials
  } catch (error) {
    if (LabError.is(error, 'LAB_CONNECTION_FAILED', 'LAB_CLI_NO_CREDENTIALS', 'LAB_TIMEOUT'))
      return null
    throw error
  }
}

async function bringUp(context: Context, { nodes, port }: RunOptions) {
  await requireFreePorts([{ port, what: 'the server', option: '--port' }])
  context.err.write('no testbed runs; one is brought up for this notebook\n')
  return bringUpTestbed(context, { nodes, port })
}

interface ExecuteOptions {
  readonly credentials: string | undefined
  readonly json: boolean
}

async function execute(
  context: Context,
  argv: readonly string[],
  { credentials, json }: ExecuteOptions,
): Promise<number> {
  const folders = jupyterFolders(filesOf(context.home).jupyter)
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 })
  const [program = '', ...rest] = argv
  const { signal } = context
  signal.throwIfAborted()
  const child = spawn(program, rest, {
    env: {
      ...context.env,
      ...jupyterEnvironment(folders, context.checkout),
      COMMUNITY_LAB_HOME: context.home,
      ...(credentials === undefined ? {} : { COMMUNITY_LAB_CREDENTIALS: credentials }),
    },
    // A group of its own: Ctrl-C reaches it once, from here.
    detached: true,
    stdio: ['ignore', json ? process.stderr : 'inherit', 'inherit'],
  })
  const stop = (): void => {
    child.kill('SIGINT')
  }
  signal.addEventListener('abort', stop, { once: true })
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve(exitCode ?? 1))
  })
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  return code
}
