import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rename, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { Writable } from 'node:stream'
import { LabError } from '@community-lab/contract'
import { abortSignal, checkArgument, checkOptions, count, localFile, words } from '../argument.ts'
import { asTable, type Shown } from '../display/table.ts'
import { describeCause } from '../http/client.ts'
import { localPath } from '@community-lab/contract/files'
import type { Execution } from '../ssh/exec.ts'
import { quote, quotePath } from '../ssh/quote.ts'
import { receiveFile } from '../ssh/receive-file.ts'
import { requireOk, type CommandResult } from '../ssh/result.ts'
import { Unpacking, type Unpacked } from '../ssh/unpack.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { anySignal } from '../wait/signal.ts'

/** Options of a download. */
export interface DownloadOptions {
  /** The most bytes to take from one sliver, all files together; default 1 GiB. */
  readonly maxBytes?: number
  /** The most files, folders and links to take from one sliver; default 100 000. */
  readonly maxEntries?: number
  readonly signal?: AbortSignal
}

const downloadKinds = { maxBytes: count, maxEntries: count, signal: abortSignal }

/** Check the arguments of a download. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkDownload(from: unknown, to: unknown, options: unknown): void {
  checkArgument('the path of what to download', from, words)
  checkArgument('the path of this machine that it goes to', to, localFile)
  checkOptions('download', options, downloadKinds)
}

/** The result of a download from one sliver. */
export interface Download {
  readonly sliver: string
  readonly node: string
  /** The path on this machine. */
  readonly to: string
  readonly files: number
  readonly bytes: number
  /** What was left out, and why: devices, and links that lead out of the folder. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  /** Why nothing, or not everything, was taken; null when everything was. */
  readonly error: LabError | null
}

/** The results of downloads from several slivers, in the order of the slivers. A table in notebooks. */
export type Downloads = Shown<Download> & {
  /** Everything was taken from every sliver. */
  readonly ok: boolean
}

/** The sliver to take from. */
export interface DownloadSource {
  readonly id: string
  readonly node: string
  run(command: string, options: Omit<Execution, 'command'>): Promise<CommandResult>
}

const concurrency = 16
const defaultMaxBytes = 1024 ** 3

/** What to take, and where to put it. */
export interface DownloadOrder extends DownloadOptions {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
}

/** Take a file or a folder from a sliver. See `Sliver.download`. @throws {@link LabError} LAB_COMMAND_FAILED, LAB_DOWNLOAD_FAILED. */
export async function download(sliver: DownloadSource, order: DownloadOrder): Promise<Download> {
  const { from, signal } = order
  const to = localPath(order.to)
  const what = `${JSON.stringify(from)} of sliver ${sliver.id} (${sliver.node})`
  const { kind, path: found, ...file } = await lookAt(sliver, from, signal)
  try {
    if (kind === 'other') throw new Error('it is neither a file nor a folder')
    if (kind === 'folder' && /^\/(?:proc|sys)(?:\/|$)/u.test(found))
      throw new Error(
        'files of /proc and /sys do not tell how long they are, so that no archive can hold a folder of them; take its files one by one',
      )
    const source = { what, found, ...order }
    const taken =
      kind === 'folder'
        ? await takeFolder(sliver, { ...source, to })
        : await takeFile(sliver, { ...source, to: await fileFor(from, to), ...file })
    return { sliver: sliver.id, node: sliver.node, to, ...taken, error: null }
  } catch (error) {
    signal.throwIfAborted()
    if (LabError.is(error)) throw error
    const reason = describeCause(error)
    throw new LabError('LAB_DOWNLOAD_FAILED', { what, reason }, { cause: error })
  }
}

/** What is at a path of a sliver. */
interface Found {
  readonly kind: 'file' | 'folder' | 'other'
  /** The path with links resolved. */
  readonly path: string
  readonly mode: number
  readonly changedAt: Date
}

/** Look up a path of a sliver. @throws {@link LabError} LAB_COMMAND_FAILED when nothing is there. */
async function lookAt(sliver: DownloadSource, from: string, signal: AbortSignal): Promise<Found> {
  const command = `p=$(readlink -f -- ${quotePath(from)}) && [ -e "$p" ] || { echo "there is no such file" >&2; exit 1; }
if [ -d "$p" ]; then echo folder; elif [ -f "$p" ]; then echo file; else echo other; fi
stat -c '%a %Y' "$p" 2>/dev/null || echo
printf %s "$p"`
  const looked = await sliver.run(command, { signal })
  requireOk([looked], `downloading ${JSON.stringify(from)}`)
  const [kind, times = '', ...rest] = looked.stdout.split('\n')
  const [mode = '644', changedS = String(Date.now() / 1000)] = times.split(' ').filter(Boolean)
  return {
    kind: kind === 'folder' || kind === 'file' ? kind : 'other',
    path: rest.join('\n'),
    mode: Number.parseInt(mode, 8) & 0o777,
    changedAt: new Date(Number(changedS) * 1000),
  }
}

/** Read a file into memory. See `Sliver.read`. @throws {@link LabError} LAB_COMMAND_FAILED, LAB_DOWNLOAD_FAILED. */
export async function readFile(
  sliver: DownloadSource,
  file: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const result = await sliver.run(`cat -- ${quotePath(file)}`, { signal })
  requireOk([result], `reading ${JSON.stringify(file)}`)
  if (!result.truncated) return result.stdoutBytes
  const what = `${JSON.stringify(file)} of sliver ${sliver.id} (${sliver.node})`
  const reason = 'it is longer than 64 MiB; take it with download()'
  throw new LabError('LAB_DOWNLOAD_FAILED', { what, reason })
}

/** Take the same path from several slivers, each into a folder with the name of its node. Failures are in the results. */
export async function downloadAll(
  slivers: readonly DownloadSource[],
  order: DownloadOrder,
): Promise<Downloads> {
  const downloads = await mapBounded(slivers, concurrency, async (sliver) => {
    const { id, node } = sliver
    const to = path.join(localPath(order.to), node)
    try {
      // A file keeps its name, in the folder of its node.
      await mkdir(to, { recursive: true }).catch((cause: unknown) => {
        const details = { what: JSON.stringify(order.from), reason: describeCause(cause) }
        throw new LabError('LAB_DOWNLOAD_FAILED', details, { cause })
      })
      return await download(sliver, { ...order, to })
    } catch (error) {
      if (!LabError.is(error)) throw error
      return { sliver: id, node, to, files: 0, bytes: 0, skipped: [], error }
    }
  })
  const shown = asTable(downloads, () => [
    { name: 'node', value: ({ node }) => node },
    { name: 'to', value: ({ to }) => to },
    { name: 'files', value: ({ files }) => files },
    { name: 'bytes', value: ({ bytes }) => bytes },
    { name: 'trouble', value: describeProblem },
  ])
  const ok = downloads.every(({ error }) => error === null)
  return Object.defineProperties(shown, { ok: { value: ok } }) as Downloads
}

function describeProblem({ error, skipped }: Download): string {
  if (error !== null) return error.message
  return skipped.map(({ path: name, reason }) => `${name} left out: ${reason}`).join('; ')
}

/** Return the target path of a file: inside a folder that exists, or the path itself. */
async function fileFor(from: string, to: string): Promise<string> {
  const found = await stat(to).catch(() => null)
  return found?.isDirectory() === true || to.endsWith('/')
    ? path.join(to, path.posix.basename(from))
    : to
}

interface Taking extends DownloadOrder {
  /** The name of the download in errors. */
  readonly what: string
  /** The path in the sliver. */
  readonly found: string
}

/** Take a file as it is read in the sliver, to its end. */
async function takeFile(
  sliver: DownloadSource,
  { mode, changedAt, ...taking }: Taking & Pick<Found, 'mode' | 'changedAt'>,
): Promise<Unpacked> {
  const { to: file, what, found, maxBytes = defaultMaxBytes } = taking
  const draft = path.join(path.dirname(file), `.community-lab-${randomUUID()}`)
  await mkdir(path.dirname(file), { recursive: true })
  try {
    const bytes = await takeOutput(sliver, `cat -- ${quote(found)}`, {
      ...taking,
      into: receiveFile(what, draft, maxBytes),
    })
    await chmod(draft, mode)
    await utimes(draft, changedAt, changedAt)
    await rename(draft, file)
    return { files: 1, bytes, skipped: [] }
  } finally {
    await rm(draft, { force: true })
  }
}

/** Take the content of a folder, as an archive that is unpacked while it arrives. */
async function takeFolder(sliver: DownloadSource, taking: Taking): Promise<Unpacked> {
  const { to, what, found, maxBytes = defaultMaxBytes, maxEntries = 100_000 } = taking
  const unpacking = new Unpacking(what, to, { maxBytes, maxEntries })
  return await takeOutput(sliver, `tar -c -f - -C ${quote(found)} .`, {
    ...taking,
    into: { input: unpacking.input, done: unpacking.run() },
  })
}

/** Run a command and write its output to a stream while it arrives. */
async function takeOutput<T>(
  sliver: DownloadSource,
  command: string,
  order: Taking & { readonly into: { readonly input: Writable; readonly done: Promise<T> } },
): Promise<T> {
  const { input, done } = order.into
  const stop = new AbortController()
  // Any failure on this side ends the command in the sliver.
  done.catch((error: unknown) => stop.abort(error))
  const result = await sliver
    .run(command, { sink: input, signal: anySignal(order.signal, stop.signal) })
    .catch((error: unknown) => {
      input.destroy()
      throw error
    })
  if (!result.ok) input.destroy()
  requireOk([result], `downloading ${JSON.stringify(order.from)}`)
  return await done
}
