import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { RunningTestbed } from './testbed.ts'

const checkout = resolve(import.meta.dirname, '../..')

const Lines = Type.Union([Type.String(), Type.Array(Type.String())])
const Output = Type.Object({
  output_type: Type.String(),
  name: Type.Optional(Type.String()),
  text: Type.Optional(Lines),
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  ename: Type.Optional(Type.String()),
})
const Cell = Type.Object({
  cell_type: Type.String(),
  metadata: Type.Object({ tags: Type.Optional(Type.Array(Type.String())) }),
  source: Lines,
  outputs: Type.Optional(Type.Array(Output)),
})
/** The parts of a notebook (nbformat 4) that the tests use. */
export const Notebook = Type.Object({ cells: Type.Array(Cell) })
export type Notebook = Static<typeof Notebook>
export type NotebookCell = Static<typeof Cell>

/** Read a notebook. */
export async function readNotebook(file: string): Promise<Notebook> {
  const document: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!Value.Check(Notebook, document)) throw new Error(`${file} is no notebook`)
  return document
}

/** The exit code and output of a run. */
export interface NotebookRun {
  readonly code: number
  readonly printed: string
}

/** Execute a notebook on a testbed with `community-lab run`, like a user. */
export async function runNotebook(
  testbed: RunningTestbed,
  notebook: string,
  options: readonly string[] = [],
): Promise<NotebookRun> {
  const program = join(checkout, 'server/cli/dist/main.bundle.js')
  return runProgram([process.execPath, program, 'run', notebook, ...options], {
    ...process.env,
    COMMUNITY_LAB_HOME: testbed.home,
    COMMUNITY_LAB_CREDENTIALS: testbed.ready.credentialsFile,
  })
}

/** Run a program that executes a notebook. */
export async function runProgram(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<NotebookRun> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'], env })
  const code = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => resolve(exitCode ?? -1))
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, printed: out + err }
}

/** Find the cell with a tag. */
export function cellOf(notebook: Notebook, tag: string): NotebookCell {
  const cell = notebook.cells.find(({ metadata }) => metadata.tags?.includes(tag))
  if (cell === undefined) throw new Error(`there is no cell with the tag ${tag}`)
  return cell
}

/** Return all text of a cell: its output, and the text form of its results. */
export function textOf({ outputs = [] }: NotebookCell): string {
  return outputs.map(({ text: printed, data }) => inOne(printed ?? data?.['text/plain'])).join('\n')
}

/** Return the last output of a cell with a MIME type; null when there is none. */
export function shownAs({ outputs = [] }: NotebookCell, type: string): string | null {
  const found = outputs.findLast(({ data }) => data?.[type] !== undefined)
  return found === undefined ? null : inOne(found.data?.[type])
}

function inOne(lines: unknown): string {
  if (Array.isArray(lines)) return lines.map(String).join('')
  return typeof lines === 'string' ? lines : ''
}
