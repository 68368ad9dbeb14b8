import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'

const checkout = resolve(import.meta.dirname, '../../../..')

/** A cell of a notebook: its code, or its code and its tags. */
export type CellDraft = string | readonly [code: string, ...tags: string[]]

/** What is looked at of an executed cell. */
export interface ExecutedCell {
  readonly source: string
  readonly execution_count: number | null
  readonly tags: readonly string[]
  /** What it printed, as one text. */
  readonly printed: string
  /** The text of what it showed. */
  readonly results: readonly string[]
  readonly errors: readonly string[]
}

/** A folder with notebooks, and the program that executes them. */
export interface NotebookPlace extends AsyncDisposable {
  readonly folder: string
  write(name: string, cells: readonly CellDraft[], kernel?: string): Promise<string>
  execute(args: readonly string[], options?: ExecuteOptions): Promise<Executed>
  read(name: string): Promise<readonly ExecutedCell[]>
}

/** How to look on. */
export interface ExecuteOptions {
  /** Sees what is printed on standard output as it comes; `stop` is Ctrl-C, `leave` reads no further, as `head` does. */
  readonly onText?: (text: string, stop: () => void, leave: () => void) => void
  /** Environment variables beside our own. */
  readonly env?: NodeJS.ProcessEnv
}

/** How the program ended. */
export interface Executed {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Make a place in a temporary folder, with stock tslab beside the kernel of this checkout. */
export async function makeNotebookPlace(): Promise<NotebookPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'cl-notebook-'))
  const tslab = join(folder, 'jupyter/kernels/tslab')
  await mkdir(tslab, { recursive: true })
  await writeFile(join(tslab, 'kernel.json'), JSON.stringify(stockTslab()))
  const env = {
    ...process.env,
    COMMUNITY_LAB_HOME: folder,
    JUPYTER_PATH: `${join(checkout, '.venv/share/jupyter')}:${join(folder, 'jupyter')}`,
    JUPYTER_RUNTIME_DIR: join(folder, 'runtime'),
  }
  return {
    folder,
    async write(name, cells, kernel = 'communitylab') {
      const file = join(folder, name)
      await writeFile(file, JSON.stringify(notebookOf(cells, kernel)))
      return file
    },
    execute: (args, options) => execute(args, env, options),
    read: async (name) => cellsOf(await readFile(join(folder, name), 'utf8')),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What `tslab install` writes. */
function stockTslab(): object {
  const program = join(checkout, 'node_modules/tslab/bin/tslab')
  return {
    argv: [process.execPath, program, 'kernel', '--config-path={connection_file}'],
    display_name: 'TypeScript',
    language: 'typescript',
  }
}

function notebookOf(cells: readonly CellDraft[], kernel: string): object {
  return {
    cells: cells.map((draft, index) => {
      const [source, ...tags] = typeof draft === 'string' ? [draft] : draft
      const metadata = { tags }
      const id = `c${index}`
      return { cell_type: 'code', id, metadata, source, outputs: [], execution_count: null }
    }),
    metadata: { kernelspec: { name: kernel, display_name: kernel, language: 'typescript' } },
    nbformat: 4,
    nbformat_minor: 5,
  }
}

function execute(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { onText, env: more = {} }: ExecuteOptions = {},
): Promise<Executed> {
  const program = join(checkout, 'server/cli/jupyter/run_notebook.py')
  const child = spawn(join(checkout, '.venv/bin/python'), ['-B', program, ...args], {
    env: { ...env, ...more },
  })
  const printed = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.out += text
    onText?.(
      text,
      () => child.kill('SIGINT'),
      () => child.stdout.destroy(),
    )
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.err += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, ...printed }))
  })
}

interface RawOutput {
  readonly output_type: string
  readonly text?: string | readonly string[]
  readonly data?: Readonly<Record<string, string | readonly string[]>>
  readonly ename?: string
}

interface RawCell {
  readonly source: string | readonly string[]
  readonly execution_count: number | null
  readonly metadata: { readonly tags?: readonly string[] }
  readonly outputs: readonly RawOutput[]
}

function cellsOf(text: string): readonly ExecutedCell[] {
  const { cells } = JSON.parse(text) as { readonly cells: readonly RawCell[] }
  return cells.map(({ source, execution_count, metadata, outputs }) => ({
    source: inOne(source),
    execution_count,
    tags: metadata.tags ?? [],
    printed: outputs.map((each) => inOne(each.text)).join(''),
    results: outputs.flatMap(({ data }) => (data === undefined ? [] : [inOne(data['text/plain'])])),
    errors: outputs.flatMap(({ ename }) => (ename === undefined ? [] : [ename])),
  }))
}

const inOne = (lines: string | readonly string[] = ''): string =>
  typeof lines === 'string' ? lines : lines.join('')
