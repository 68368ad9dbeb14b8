import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { LabError } from '@community-lab/contract'
import { asTable, type Shown } from '../display/table.ts'
import { describeCause } from '../http/client.ts'
import type { Execution } from '../ssh/exec.ts'
import { quote } from '../ssh/quote.ts'
import { requireOk, type CommandResult } from '../ssh/result.ts'
import { Unpacking, type Unpacked } from '../ssh/unpack.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { anySignal } from '../wait/signal.ts'

/** Options of a download. */
export interface DownloadOptions {
  /** The most bytes taken, of all files of one sliver together; default 1 GiB. */
  readonly maxBytes?: number
  /** The most files, folders and links taken of one sliver; default 100 000. */
  readonly maxEntries?: number
  readonly signal?: AbortSignal
}

/** What came of one sliver. */
export interface Download {
  readonly sliver: string
  readonly node: string
  /** Where it is on this machine. */
  readonly to: string
  readonly files: number
  readonly bytes: number
  /** What was left out, and why: devices, and links that lead out of the folder. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  /** Why it did not come, or not all of it. */
  readonly error: LabError | null
}

/** What came of several slivers, in their order. A table in notebooks. */
export type Downloads = Shown<Download> & {
  /** All came. */
  readonly ok: boolean
}

/** The sliver to take from. */
export interface DownloadSource {
  readonly id: string
  readonly node: string
  run(command: string, options: Omit<Execution, 'command'>): Promise<CommandResult>
}

const concurrency = 16

/** What to take, and where it goes. */
export interface DownloadOrder extends DownloadOptions {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
}

/** Take a file or a folder from a sliver. See `Sliver.download`. @throws {@link LabError} LAB_COMMAND_FAILED, LAB_DOWNLOAD_FAILED. */
export async function download(sliver: DownloadSource, order: DownloadOrder): Promise<Download> {
  const { from, to, signal } = order
  const what = `${JSON.stringify(from)} of sliver ${sliver.id} (${sliver.node})`
  const find = `p=$(readlink -f -- ${quote(from)}) && [ -e "$p" ] || { echo "there is no such file" >&2; exit 1; }`
  const looked = await sliver.run(`${find}; [ -d "$p" ] && echo folder || echo file`, {
    signal,
  })
  requireOk([looked], `downloading ${JSON.stringify(from)}`)
  const take = async (folder: string, members: string): Promise<Unpacked> =>
    await unpackFrom(sliver, `${find}; tar -c -f - ${members}`, { ...order, what, folder })
  try {
    const unpacked =
      looked.stdout.trim() === 'folder'
        ? await take(to, '-C "$p" .')
        : await takeFile(await fileFor(from, to), take)
    return { sliver: sliver.id, node: sliver.node, to, ...unpacked, error: null }
  } catch (error) {
    signal.throwIfAborted()
    if (LabError.is(error)) throw error
    const reason = describeCause(error)
    throw new LabError('LAB_DOWNLOAD_FAILED', { what, reason }, { cause: error })
  }
}

/** Read a file into memory. See `Sliver.read`. @throws {@link LabError} LAB_COMMAND_FAILED, LAB_DOWNLOAD_FAILED. */
export async function readFile(
  sliver: DownloadSource,
  file: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const result = await sliver.run(`cat -- ${quote(file)}`, { signal })
  requireOk([result], `reading ${JSON.stringify(file)}`)
  if (!result.truncated) return result.stdoutBytes
  const what = `${JSON.stringify(file)} of sliver ${sliver.id} (${sliver.node})`
  const reason = 'it is longer than 64 MiB; take it with download()'
  throw new LabError('LAB_DOWNLOAD_FAILED', { what, reason })
}

/** Take the same from several slivers, each into a folder of its node's name. One that fails is in the results. */
export async function downloadAll(
  slivers: readonly DownloadSource[],
  order: DownloadOrder,
): Promise<Downloads> {
  const downloads = await mapBounded(slivers, concurrency, async (sliver) => {
    const { id, node } = sliver
    const to = path.join(order.to, node)
    try {
      // A file keeps its name under its node's folder.
      await mkdir(to, { recursive: true })
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
    { name: 'trouble', value: troubleOf },
  ])
  const ok = downloads.every(({ error }) => error === null)
  return Object.defineProperties(shown, { ok: { value: ok } }) as Downloads
}

function troubleOf({ error, skipped }: Download): string {
  if (error !== null) return error.message
  return skipped.map(({ path: name, reason }) => `${name} left out: ${reason}`).join('; ')
}

/** Where a file goes: into a folder that is there, or to the path itself. */
async function fileFor(from: string, to: string): Promise<string> {
  const found = await stat(to).catch(() => null)
  return found?.isDirectory() === true || to.endsWith('/')
    ? path.join(to, path.posix.basename(from))
    : to
}

async function takeFile(
  file: string,
  take: (folder: string, members: string) => Promise<Unpacked>,
): Promise<Unpacked> {
  const draft = path.join(path.dirname(file), `.community-lab-${randomUUID()}`)
  try {
    const unpacked = await take(draft, '-C "$(dirname "$p")" "./$(basename "$p")"')
    const [name = '', ...more] = await readdir(draft)
    if (more.length > 0 || !(await lstat(path.join(draft, name))).isFile())
      throw new Error('the sliver sent something else than one file')
    await rename(path.join(draft, name), file)
    return unpacked
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

interface UnpackOrder extends DownloadOrder {
  readonly what: string
  readonly folder: string
}

/** Run the command that writes an archive, and unpack it as it comes. */
async function unpackFrom(
  sliver: DownloadSource,
  command: string,
  order: UnpackOrder,
): Promise<Unpacked> {
  const { what, folder, maxBytes = 1024 ** 3, maxEntries = 100_000 } = order
  const stop = new AbortController()
  const unpacking = new Unpacking(what, folder, { maxBytes, maxEntries })
  const unpacked = unpacking.run()
  // Whatever goes wrong on this side ends the command on the other.
  unpacked.catch((error: unknown) => stop.abort(error))
  const result = await sliver
    .run(command, {
      sink: unpacking.input,
      signal: anySignal(order.signal, stop.signal),
    })
    .catch((error: unknown) => {
      unpacking.input.destroy()
      throw error
    })
  if (!result.ok) unpacking.input.destroy()
  requireOk([result], `downloading ${JSON.stringify(order.from)}`)
  return await unpacked
}
