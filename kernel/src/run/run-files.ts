import { createHash } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  filePartsOf,
  LabError,
  runFileMeasurement,
  runFilePartMeasurement,
} from '@community-lab/contract'
import { joinParts, localPath } from '@community-lab/contract/files'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { anySignal, timeoutSignal } from '../wait/signal.ts'
import { readPresentRows } from './row-stream.ts'
import type { RunFile } from './run-file.ts'
import type { RunState } from './run-state.ts'
import type { Row } from './value.ts'

/** The files of a run. A table in notebooks. */
export type RunFiles = Shown<RunFile>

/** A file with its number on its sliver. */
export interface NumberedFile extends RunFile {
  readonly number: number
}

/** How long to wait for files. */
export interface FilesWait {
  /** undefined: without limit. */
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
}

/**
 * Read which files a run has kept. Where it has ended, wait until all that was kept is there, or until the time is over.
 *
 * @throws {@link LabError} LAB_RUN_GONE.
 */
export async function readFiles(
  session: Session,
  state: RunState,
  { timeoutMs, signal: caller }: FilesWait,
): Promise<readonly NumberedFile[]> {
  await state.refresh(caller)
  const timeout = timeoutSignal(timeoutMs ?? Infinity)
  const signal = anySignal(caller, timeout ?? undefined)
  try {
    await state.waitForEnded(signal)
  } catch (error) {
    if (caller.aborted || timeout?.aborted !== true) throw error
  }
  const { scope, id: run } = state
  const asked = { scope, name: runFileMeasurement, run, signal: caller }
  const found: Row[] = []
  for await (const { rows } of readPresentRows(session, asked)) found.push(...rows)
  return filesOf(found, state)
}

/** Return the files of which rows tell, by sliver. */
export function filesOf(
  rows: readonly Row[],
  { object: { parts } }: Pick<RunState, 'object'>,
): readonly NumberedFile[] {
  const nodes = new Map(parts.map(({ sliver, node }) => [sliver.id, node.name ?? String(node.id)]))
  const files = rows.flatMap((row) => {
    const { sliver: on, file, path: of, bytes, sha256, problem } = row
    if (typeof on !== 'string' || typeof of !== 'string' || file == null) return []
    return [
      {
        ...{ sliver: on, node: nodes.get(on) ?? on, path: of, number: Number(file) },
        bytes: bytes == null ? null : Number(bytes),
        sha256: typeof sha256 === 'string' ? sha256 : null,
        problem: typeof problem === 'string' ? problem : null,
      },
    ]
  })
  const order = new Map([...nodes.keys()].map((sliver, index) => [sliver, index]))
  const place = ({ sliver }: RunFile): number => order.get(sliver) ?? order.size
  return files.sort((one, other) => place(one) - place(other) || one.number - other.number)
}

/** Show files as a table. */
export function tableOfFiles(files: readonly NumberedFile[]): RunFiles {
  const shown = files.map(({ number: _, ...file }): RunFile => file)
  return asTable(shown, () => {
    const names = ['node', 'path', 'bytes', 'sha256', 'problem'] as const
    const used = names.filter(
      (name) => name !== 'problem' || shown.some(({ problem }) => problem !== null),
    )
    return used.map((name): Column<RunFile> => ({ name, value: (file) => file[name] }))
  })
}

/**
 * Choose a file by its path, on a sliver or where only one sliver has it.
 *
 * @throws {@link LabError} LAB_RUN_FILE_MISSING, LAB_ARGUMENT_INVALID.
 */
export function chooseFile(
  files: readonly NumberedFile[],
  {
    run,
    wanted,
    on,
  }: { readonly run: string; readonly wanted: string; readonly on: string | null },
): NumberedFile {
  const there = files.filter(({ sliver }) => on === null || sliver === on)
  const found = there.filter((file) => file.path === wanted)
  const having = found.filter(({ problem }) => problem === null)
  const [first, other] = having.length > 0 ? having : found
  const kept = [...new Set(there.filter((one) => one.problem === null).map((one) => one.path))]
  if (first === undefined || first.problem !== null) {
    const node = first?.node ?? null
    const reason = first?.problem ?? 'the run does not keep it, or has not ended'
    throw new LabError('LAB_RUN_FILE_MISSING', { run, file: wanted, node, reason, kept })
  }
  if (other === undefined) return first
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'the option sliver',
    found: 'undefined',
    expected: `one of those that have ${wanted}: ${having.map(({ node }) => node).join(', ')}`,
  })
}

/**
 * Read the content of a file.
 *
 * @throws {@link LabError} LAB_RUN_FILE_MISSING when not all of it is at the server.
 */
export async function readContent(
  session: Session,
  { id, scope, object: { name: run } }: RunState,
  { file, signal }: { readonly file: NumberedFile; readonly signal: AbortSignal },
): Promise<Buffer> {
  const own = filePartsOf(id, file.sliver, file.number)
  const asked = { scope, name: runFilePartMeasurement, run: own, signal }
  const found: Row[] = []
  for await (const { rows } of readPresentRows(session, asked)) found.push(...rows)
  const content = joinParts(found.filter((row) => row['sliver'] === file.sliver))
  const digest = createHash('sha256').update(content).digest('hex')
  if (digest === file.sha256) return content
  const reason = `the server has ${content.length} of its ${file.bytes ?? 0} bytes: it has removed the others, or its node could not send them because the slice keeps no more`
  const details = { run, file: file.path, node: file.node, reason, kept: [] }
  throw new LabError('LAB_RUN_FILE_MISSING', details)
}

/**
 * Write a file of this machine, which appears when it is complete. Returns its path.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID when it is a folder. `of` is the path of the file in the sliver.
 */
export async function writeLocal(
  given: string,
  { of, content }: { readonly of: string; readonly content: Uint8Array },
): Promise<string> {
  const file = path.resolve(localPath(given))
  if (await isFolder(file))
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'to',
      found: `${JSON.stringify(given)}, which is a folder`,
      expected: `a file, such as ${JSON.stringify(path.join(given, path.basename(of)))}`,
    })
  await mkdir(path.dirname(file), { recursive: true })
  const draft = `${file}.part`
  try {
    await writeFile(draft, content)
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
  return file
}

async function isFolder(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null)
  return found?.isDirectory() === true
}
