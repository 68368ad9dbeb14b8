import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import type { Context } from '../context.ts'
import { openBrowser } from '../jupyter/browser.ts'
import { labUrl } from '../jupyter/configuration.ts'
import { startLab } from '../jupyter/lab.ts'
import { emphasize } from '../output/print.ts'
import { choosePort } from '../process/port.ts'
import { requireFile } from '../set-up.ts'
import { maybeTestbedStatus } from '../testbed/control.ts'
import { bringUpTestbed, testbedProgram } from '../testbed/virtual-testbed.ts'

/** The options of {@link start}. */
export interface StartOptions {
  readonly nodes: number
  /** Undefined: the usual one, or a free one. */
  readonly port?: number
  readonly jupyterPort: number
  readonly notebook: string
  readonly browser: boolean
  readonly json?: boolean
}

/**
 * Start a virtual testbed and JupyterLab on it, and keep both running until Ctrl-C, which ends both completely.
 *
 * @throws {@link LabError} LAB_CLI_TESTBED_RUNNING, LAB_PORT_IN_USE, LAB_CLI_NO_FILE before anything is started.
 */
export async function start(context: Context, options: StartOptions): Promise<void> {
  const place = placeNotebook(context.checkout, options.notebook)
  testbedProgram(context)
  requireFile(context.checkout, '.venv/bin/jupyter-lab')
  await refuseSecond(context)
  const jupyter = { port: options.jupyterPort, what: 'JupyterLab', option: '--jupyter-port' }
  const port = await choosePort(context, { asked: options.port, others: [jupyter] })
  const { nodes } = options
  await using testbed = await bringUpTestbed(context, { port, nodes, ...jsonOf(options) })
  const { ready } = testbed
  const token = randomBytes(24).toString('hex')
  await using lab = await startLab(context, {
    port: options.jupyterPort,
    token,
    rootDir: place.rootDir,
    serverSocket: ready.socket,
    credentialsFile: ready.credentialsFile,
  })
  const url = labUrl(options.jupyterPort, token, place.path)
  if (options.json === true)
    context.out.write(`${JSON.stringify({ jupyterlab: url, server: ready.url })}\n`)
  else announce(context, { url, server: ready.url, lacks: ready.lacks })
  if (options.browser) openBrowser(context, url)
  const stopped = onceAborted(context.signal)
  const ended = await Promise.race([
    stopped,
    testbed.ended.then(({ reason }) => {
      return new LabError('LAB_VCT_POD_ENDED', { reason, log: testbed.logFile })
    }),
    lab.ended.then(({ reason }) => {
      const details = { reason, log: lab.logFile, lastLine: lab.lastLine() }
      return new LabError('LAB_CLI_JUPYTER_ENDED', details)
    }),
  ])
  context.err.write('\nstopping JupyterLab and the testbed …\n')
  if (ended !== null) throw ended
}

/** Check that no testbed of this home runs. @throws {@link LabError} LAB_CLI_TESTBED_RUNNING. */
export async function refuseSecond(context: Context): Promise<void> {
  const status = await maybeTestbedStatus(context)
  if (status === null) return
  const url = status.server_url ?? `unix:${status.server_socket}`
  throw new LabError('LAB_CLI_TESTBED_RUNNING', { home: context.home, url })
}

interface Place {
  readonly rootDir: string
  /** The path within rootDir, with slashes; null: no notebook. */
  readonly path: string | null
}

/** Choose the folder that JupyterLab shows: the checkout, or the folder of a notebook outside of the checkout. */
function placeNotebook(checkout: string, notebook: string): Place {
  const inCheckout = resolve(checkout, notebook)
  const file = existsSync(inCheckout) ? inCheckout : resolve(process.cwd(), notebook)
  if (!existsSync(file)) throw new LabError('LAB_CLI_NO_FILE', { what: 'notebook', file })
  const path = relative(checkout, file)
  if (!path.startsWith('..') && !isAbsolute(path)) return { rootDir: checkout, path }
  return { rootDir: dirname(file), path: relative(dirname(file), file) }
}

interface Announcement {
  readonly url: string
  readonly server: string
  readonly lacks: readonly string[]
}

function announce({ out, err }: Context, { url, server, lacks }: Announcement): void {
  for (const each of lacks) err.write(`note: ${each}\n`)
  out.write(
    `\n  JupyterLab  ${emphasize(out, url)}\n  server      ${server} (${server}/docs)\n\nCtrl-C stops both.\n`,
  )
}

function onceAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

const jsonOf = ({ json }: StartOptions) => (json === undefined ? {} : { json })
