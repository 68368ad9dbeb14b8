import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { runNotebook, runProgram } from '../notebook.ts'
import type { NotebookRun } from '../notebook.ts'
import type { RunningTestbed } from '../testbed.ts'

const checkout = resolve(import.meta.dirname, '../../..')
const python = join(checkout, '.venv/bin/python')

/** The input of a way to run notebooks. */
export interface WayOptions {
  readonly testbed: RunningTestbed
  /** The notebook's path. */
  readonly notebook: string
  /** The path of the executed notebook. */
  readonly output: string
  /** Values for the notebook's parameters, if the way supports them. */
  readonly parameters: Readonly<Record<string, string | number>>
}

/** A way to run a notebook without a browser. The browser is tested in test/ui. */
export interface Way {
  readonly name: string
  /** Whether it can set a notebook's parameters. */
  readonly givesParameters: boolean
  run(options: WayOptions): Promise<NotebookRun>
}

/** The way in which every notebook is run on each change. */
export const communityLabRun: Way = {
  name: 'community-lab run',
  givesParameters: true,
  run({ testbed, notebook, output, parameters }) {
    const given = Object.entries(parameters).flatMap(([name, value]) => [
      '--param',
      `${name}=${value}`,
    ])
    return runNotebook(testbed, notebook, ['--output', output, ...given])
  },
}

/** Jupyter's own converter. */
export const nbconvert: Way = {
  name: 'nbconvert --execute',
  givesParameters: false,
  run({ testbed, notebook, output }) {
    const where = [`--output-dir=${dirname(output)}`, `--output=${basename(output)}`]
    const argv = [python, '-m', 'nbconvert', '--to=notebook', '--execute', ...where, notebook]
    return runProgram(argv, environmentOf(testbed))
  },
}

/** papermill runs notebooks with parameters; it adds a cell with their values. */
export const papermill: Way = {
  name: 'papermill',
  givesParameters: true,
  run({ testbed, notebook, output, parameters }) {
    const given = Object.entries(parameters).flatMap(([name, value]) => ['-p', name, String(value)])
    const where = ['--cwd', dirname(notebook), '--no-progress-bar']
    const argv = [python, '-m', 'papermill', notebook, output, ...where, ...given]
    return runProgram(argv, environmentOf(testbed))
  },
}

/** A client that uses the protocol like VS Code's notebooks. */
export const vscode: Way = {
  name: "VS Code's way of talking to kernels",
  givesParameters: false,
  run({ testbed, notebook, output }) {
    const client = join(import.meta.dirname, 'vscode_client.py')
    return runProgram([python, '-B', client, notebook, output], environmentOf(testbed))
  },
}

/** The kernel tslab from its package, with this repository's library. */
export const stockTslab: Way = {
  name: 'stock tslab',
  givesParameters: false,
  async run({ testbed, notebook, output }) {
    await installTslab(join(testbed.home, 'jupyter/data/kernels/tslab'))
    const document = JSON.parse(await readFile(notebook, 'utf8')) as { metadata: object }
    const kernelspec = { name: 'tslab', display_name: 'TypeScript', language: 'typescript' }
    // Cells import the kernel's library like any package, from a node_modules in a folder above the notebook.
    const copy = join(dirname(notebook), `.on-tslab-${basename(notebook)}`)
    await writeFile(copy, JSON.stringify({ ...document, metadata: { kernelspec } }))
    try {
      return await runNotebook(testbed, copy, ['--output', output])
    } finally {
      await rm(copy, { force: true })
    }
  },
}

/** Install tslab like `tslab install`. */
async function installTslab(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const tslab = join(checkout, 'node_modules/tslab/bin/tslab')
  const argv = [process.execPath, tslab, 'kernel', '--config-path={connection_file}']
  const specification = { argv, display_name: 'TypeScript', language: 'typescript' }
  await writeFile(join(folder, 'kernel.json'), JSON.stringify(specification))
}

/** The environment of a terminal in which a user has set the testbed's credentials. */
function environmentOf(testbed: RunningTestbed): NodeJS.ProcessEnv {
  return {
    ...process.env,
    COMMUNITY_LAB_HOME: testbed.home,
    COMMUNITY_LAB_CREDENTIALS: testbed.ready.credentialsFile,
    JUPYTER_PATH: join(checkout, '.venv/share/jupyter'),
    JUPYTER_CONFIG_DIR: join(testbed.home, 'jupyter/user'),
    JUPYTER_RUNTIME_DIR: join(testbed.home, 'jupyter/runtime'),
    IPYTHONDIR: join(testbed.home, 'jupyter/ipython'),
  }
}
