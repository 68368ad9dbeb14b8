import { createHash } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  filePartsOf,
  LabError,
  runFileMeasurement,
  runFilePartMeasurement,
  sliceScope,
  type Run,
} from '@community-lab/contract'
import { joinParts } from '@community-lab/contract/files'
import type { Context } from '../context.ts'
import type { Client } from '../http/client.ts'
import { readRows, type Row } from '../http/rows.ts'
import { printRows, type PrintOptions } from '../output/print.ts'
import { nodeOf } from './runs-view.ts'

/** Options of {@link showFiles}. */
export interface FilesOptions extends PrintOptions {
  /** The folder to write them into. */
  readonly to?: string
}

interface KeptFile {
  readonly sliver: string
  readonly node: string
  readonly number: number
  readonly path: string
  readonly bytes: number | null
  readonly sha256: string | null
  /** Why it was not kept, or cannot be written; null: it is there. */
  readonly problem: string | null
}

/**
 * List the files that a run has kept, and write them into a folder, each below the name of its node. What the server has is checked by its SHA-256.
 *
 * @throws {@link LabError} LAB_RUN_FILE_MISSING when one that was kept could not be written; the others are.
 */
export async function showFiles(
  context: Context,
  client: Client,
  { run, to, json }: FilesOptions & { readonly run: Run },
): Promise<void> {
  const scope = sliceScope(run.slice.id)
  const { signal } = context
  const rows = await readRows(client, { scope, name: runFileMeasurement, run: run.id, signal })
  const files = run.parts.flatMap((part) =>
    rows.filter((row) => row['sliver'] === part.sliver.id).map((row) => fileOf(row, nodeOf(part))),
  )
  const folder = to === undefined ? null : resolve(context.cwd, to)
  let failed: KeptFile | null = null
  const shown: KeptFile[] = []
  for (const file of files) {
    if (folder === null || file.problem !== null) {
      shown.push(file)
      continue
    }
    const name = filePartsOf(run.id, file.sliver, file.number)
    const parts = await readRows(client, { scope, name: runFilePartMeasurement, run: name, signal })
    const problem = await write(folder, file, joinParts(parts))
    shown.push({ ...file, problem })
    if (problem !== null) failed ??= { ...file, problem }
  }
  print(context, shown, { run, json: json === true })
  if (failed === null) return
  const details = { run: run.name, file: failed.path, node: failed.node, kept: [] }
  throw new LabError('LAB_RUN_FILE_MISSING', { ...details, reason: failed.problem ?? '' })
}

function print(
  context: Context,
  files: readonly KeptFile[],
  { run, json }: { readonly run: Run; readonly json: boolean },
): void {
  const waiting = run.parts.filter(({ state }) => state !== 'ended').map(nodeOf)
  const shown = files.map(({ number: _, ...file }) => file)
  printRows(context, shown, {
    json,
    columns: [
      { title: 'NODE', show: ({ node }) => node },
      { title: 'PATH', show: ({ path }) => path },
      { title: 'BYTES', show: ({ bytes }) => bytes, align: 'right' },
      { title: 'SHA-256', show: ({ sha256 }) => sha256 },
      { title: 'WRONG', show: ({ problem }) => problem },
    ],
    none: waiting.length > 0 ? 'it has kept no files yet' : 'it has kept no files',
  })
  if (!json && waiting.length > 0)
    context.err.write(`note: files come when the run has ended on ${waiting.join(', ')}\n`)
}

function fileOf(row: Row, node: string): KeptFile {
  const { sliver, file, path, bytes, sha256, problem } = row
  return {
    ...{ sliver: String(sliver), node, number: Number(file), path: String(path) },
    bytes: bytes == null ? null : Number(bytes),
    sha256: typeof sha256 === 'string' ? sha256 : null,
    problem: typeof problem === 'string' ? problem : null,
  }
}

/** Write a file, which appears when it is complete. Returns why it was not; null: it was. */
async function write(
  folder: string,
  { node, path, bytes, sha256 }: KeptFile,
  content: Buffer,
): Promise<string | null> {
  // The name is of a program in a sliver.
  const isInside = path.split('/').every((part) => !['', '.', '..'].includes(part))
  if (!isInside || /[\p{Cc}\\]/u.test(path)) return 'its path cannot be used here'
  if (createHash('sha256').update(content).digest('hex') !== sha256)
    return `the server has ${content.length} of its ${bytes ?? 0} bytes`
  const file = join(folder, node, path)
  const draft = `${file}.part`
  await mkdir(dirname(file), { recursive: true })
  try {
    await writeFile(draft, content)
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
  return null
}
