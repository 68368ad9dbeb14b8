import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import {
  archiveHeadBytes,
  archiveKindOf,
  dataMadeWith,
  LabError,
  maxDataBytes,
  path as pathOf,
  routes,
  Slice,
  uploadPartTimeoutMs,
  type Sliver,
} from '@community-lab/contract'
import { hashFile } from '@community-lab/contract/host'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { findCredentials } from '../credentials.ts'
import { createClient, type Client } from '../http/client.ts'
import { uploadFile } from '../http/upload.ts'
import { requireYes, type ConfirmOptions } from '../output/confirm.ts'
import { printJson } from '../output/print.ts'
import { showTransfer } from '../output/transfer.ts'
import { listSlices, listSlivers } from './lists.ts'
import { findNamed } from './name.ts'
import { destroyer } from './option.ts'

interface DataOptions extends ConfirmOptions {
  /** `--none` takes the data away. */
  readonly none?: boolean
}

/** `community-lab slice data` */
export function addSliceData(slice: Command, context: Context): void {
  destroyer(
    slice,
    'data <name> [file]',
    'the files that its slivers begin with: a folder or an archive (.tar, .tar.gz, .tar.zst); slivers with others are made again',
  )
    .option('--none', 'no files but those of the template')
    .action((name: string, file: string | undefined, options: DataOptions) =>
      setData(context, { name, file: file ?? null }, options),
    )
}

/** An archive of this machine. */
interface LocalArchive {
  readonly file: string
  readonly sizeBytes: number
  /** In hexadecimal digits. */
  readonly sha256: string
}

async function setData(
  context: Context,
  { name, file }: { readonly name: string; readonly file: string | null },
  options: DataOptions,
): Promise<void> {
  if ((file === null) !== (options.none === true))
    throw new LabError('LAB_CLI_USAGE', {
      problem: `slice data ${name} needs either a folder or an archive, or --none`,
    })
  await using stack = new AsyncDisposableStack()
  const archive = file === null ? null : await archiveOf(resolve(context.cwd, file), stack)
  const { url, token } = findCredentials(context)
  const { signal } = context
  const client = createClient({ base: url, token, signal, timeoutMs: uploadPartTimeoutMs })
  const slice = findNamed('slice', await listSlices(client), name)
  const others = (await listSlivers(client, slice.id)).filter(isMadeWithOther(archive))
  const sha256 = archive?.sha256 ?? null
  if (others.length > 0)
    await requireYes(context, options, {
      deed: `changing the data of slice ${slice.name}`,
      costs: `makes its slivers again that do not have it (${others.length}), and all that is in them is lost`,
      question: 'Change it?',
    })
  if (archive !== null) await send(context, client, { slice, archive })
  const changed = await client.ask(Slice, pathOf(routes.slice, { id: slice.id }), {
    method: 'PATCH',
    body: { sliver_defaults: { data_sha256: sha256 } },
  })
  for (const { id } of others)
    await client.do(pathOf(routes.sliverUpdate, { id }), { method: 'POST' })
  if (options.json === true) {
    printJson(context, changed)
    return
  }
  const data = archive === null ? 'no data' : `data of SHA-256 ${archive.sha256}`
  const made = others.length === 0 ? '' : `; its slivers are made again (${others.length})`
  context.out.write(`slice ${changed.name} has ${data}${made}\n`)
}

/** Find the slivers that were made with other data, or may have been. Those with data of their own keep it. */
function isMadeWithOther(archive: LocalArchive | null): (sliver: Sliver) => boolean {
  const sha256 = archive?.sha256 ?? null
  return (sliver) => (sliver.data_sha256 ?? null) === null && dataMadeWith(sliver) !== sha256
}

/** Return an archive as it is, or pack a folder. @throws {@link LabError} LAB_CLI_NO_FILE, LAB_CLI_USAGE, LAB_ARGUMENT_INVALID. */
async function archiveOf(path: string, stack: AsyncDisposableStack): Promise<LocalArchive> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new LabError('LAB_CLI_NO_FILE', { what: 'data', file: path }, { cause })
  })
  if (found.isDirectory()) {
    // Other commands start without what packs.
    const { packData } = await import('@community-lab/contract/files')
    const { bytes, sha256 } = await packData(path)
    const dir = await mkdtemp(join(tmpdir(), 'community-lab-'))
    stack.defer(() => rm(dir, { recursive: true, force: true }))
    const file = join(dir, `${basename(path)}.tar`)
    await writeFile(file, bytes, { mode: 0o600 })
    return { file, sizeBytes: bytes.length, sha256 }
  }
  await using handle = await open(path)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(archiveHeadBytes), { position: 0 })
  if (archiveKindOf(buffer.subarray(0, bytesRead)) === null || found.size > maxDataBytes)
    throw new LabError('LAB_CLI_USAGE', {
      problem: `${path} is neither a folder nor an archive (.tar, .tar.gz, .tar.zst) of at most 1 GiB`,
    })
  return { file: path, sizeBytes: found.size, sha256: await hashFile(path) }
}

async function send(
  { err, signal }: Context,
  client: Client,
  { slice, archive }: { readonly slice: Slice; readonly archive: LocalArchive },
): Promise<void> {
  const { id } = slice.group
  const { sha256, sizeBytes } = archive
  const what = `uploading ${basename(archive.file)}`
  using transfer = showTransfer(err, { what, sizeBytes })
  await uploadFile(client, pathOf(routes.groupDataUploads, { id }), {
    ...archive,
    isThere: () => client.has(pathOf(routes.groupData, { id, hash: sha256 })),
    onProgress: (sentBytes, trouble) => transfer.show(sentBytes, trouble),
    signal,
  })
}
