import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Health, LabError, routes, type ChosenCredentials } from '@community-lab/contract'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { filesOf, type Context } from '../context.ts'
import { findNotebookCredentials } from '../credentials.ts'
import { createClient } from '../http/client.ts'
import { jupyterEnvironment, jupyterFolders } from '../jupyter/configuration.ts'
import { printJson } from '../output/print.ts'
import { startChild } from '../process/child.ts'
import { choosePort } from '../process/port.ts'
import { requireFile } from '../set-up.ts'
import { bringUpTestbed } from '../testbed/virtual-testbed.ts'

/** The most time after a stop for the end of the cell and for writing the executed notebook, in milliseconds. */
const graceMs = 30_000

/** The options of {@link run}. */
export interface RunOptions {
  /** The file for the executed notebook; by default it is not written. */
  readonly output?: string
  /** Parameters in the form `NAME=VALUE`. */
  readonly param: readonly string[]
  readonly nodes: number
  /** Undefined: the usual one, or a free one. */
  readonly port?: number
  readonly json?: boolean
}

/**
 * Execute a notebook without a browser, on the running testbed or otherwise on one that is started for it and stopped afterwards. Output of its cells is
 * printed at once. Returns the exit code, which is not 0 when a cell failed. With `json` the failure is thrown instead.
 *
 * @throws {@link LabError} LAB_CLI_NO_FILE, LAB_CLI_NOT_SET_UP, and the errors of starting a testbed.
 */
export async function run(
  context: Context,
  notebook: string,
  options: RunOptions,
): Promise<number> {
  const file = resolve(context.cwd, notebook)
  if (!existsSync(file)) throw new LabError('LAB_CLI_NO_FILE', { what: 'notebook', file })
  const python = requireFile(context.checkout, '.venv/bin/python')
  const script = requireFile(context.checkout, 'server/cli/jupyter/run_notebook.py')
  const argv = [python, script, file]
  if (options.output !== undefined) argv.push('--output', resolve(context.cwd, options.output))
  if (options.param.length > 0) argv.push('--inject', await parametersCode(file, options.param))
  const code = await executeOnTestbed(context, argv, { ...options, notebook: file })
  if (options.json === true)
    printJson(context, { notebook: file, output: options.output ?? null, exit_code: code })
  return code
}

/** Write the cell that sets the parameters. TypeScript's compiler is loaded only here, so that runs without parameters do not wait for it. */
async function parametersCode(file: string, given: readonly string[]): Promise<string> {
  const { readDeclaringCell } = await import('../notebook/declaring-cell.ts')
  const { writeParameters } = await import('../notebook/parameters.ts')
  const source = await readDeclaringCell(file)
  return writeParameters({ source, file }, given.map(splitParameter))
}

function splitParameter(given: string): { readonly name: string; readonly text: string } {
  const at = given.indexOf('=')
  return { name: given.slice(0, at), text: given.slice(at + 1) }
}

async function executeOnTestbed(
  context: Context,
  argv: readonly string[],
  options: RunOptions & { readonly notebook: string },
): Promise<number> {
  const json = options.json === true
  const running = await findRunning(context, options.notebook)
  if (running !== null) return execute(context, argv, { credentials: running, json })
  // Refuse a notebook that cannot be run before starting a testbed for it.
  const usable = await execute(context, [...argv, '--check'], { credentials: undefined, json })
  if (usable !== 0) return usable
  await using own = await bringUp(context, options)
  return await execute(context, argv, { credentials: own.ready.credentialsFile, json })
}

/**
 * Find the running testbed that the notebook will use. Returns its credentials file; undefined: the environment has the credentials; null: none is
 * given, so a virtual testbed may be started. When a testbed other than this checkout's own does not answer, this is an error.
 */
async function findRunning(context: Context, notebook: string): Promise<string | undefined | null> {
  const { home, signal } = context
  const own = filesOf(home).credentials
  const found = maybeCredentials(context, notebook)
  if (found === null) return null
  try {
    const client = createClient({ base: found.url, signal, timeoutMs: 5_000 })
    await client.ask(Health, routes.health, { accept: [503] })
    return found.file ?? undefined
  } catch (error) {
    const isAway = LabError.is(error, 'LAB_CONNECTION_FAILED', 'LAB_TIMEOUT')
    if (isAway && found.file === own) return null
    throw error
  }
}

function maybeCredentials(context: Context, notebook: string): ChosenCredentials | null {
  try {
    return findNotebookCredentials(context, dirname(notebook))
  } catch (error) {
    if (LabError.is(error, 'LAB_CREDENTIALS_MISSING')) return null
    throw error
  }
}

async function bringUp(context: Context, { nodes, port: asked }: RunOptions) {
  const port = await choosePort(context, { asked })
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
  const { signal } = context
  signal.throwIfAborted()
  const child = startChild(json ? [...argv, '--failure-to', '3'] : argv, {
    env: {
      ...context.env,
      ...jupyterEnvironment(folders, context.checkout),
      COMMUNITY_LAB_HOME: context.home,
      ...(credentials === undefined ? {} : { COMMUNITY_LAB_CREDENTIALS: credentials }),
    },
    stdio: json ? ['ignore', process.stderr, 'inherit', 'pipe'] : ['ignore', 'inherit', 'inherit'],
  })
  const failure = child.process.stdio[3]
  const told = failure instanceof Readable ? text(failure) : Promise.resolve('')
  const stop = (): void => void child.stop(graceMs)
  signal.addEventListener('abort', stop, { once: true })
  const { code, reason } = await child.ended
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (code === null)
    throw new LabError('LAB_NOTEBOOK_UNUSABLE', { problem: `its program: ${reason}` })
  throwTold(await told)
  return code
}

const Told = Type.Object({
  code: Type.Enum(['LAB_NOTEBOOK_UNUSABLE', 'LAB_NOTEBOOK_CELL_FAILED'] as const),
  sentence: Type.String(),
})

/** Throw the error that the notebook's program has printed, if there is one. @throws {@link LabError} */
function throwTold(document: string): void {
  if (document === '') return
  const { code, sentence } = Value.Parse(Told, JSON.parse(document))
  throw new LabError(code, { problem: sentence }, { message: sentence })
}
