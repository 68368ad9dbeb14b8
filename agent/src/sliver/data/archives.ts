import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { LabError, messageOf, type SliverTarget } from '@community-lab/contract'
import { exists, isErrno } from '../../errno.ts'
import { createSerial } from '../../serial.ts'
import { guardSpace } from '../template/space.ts'

/** A data archive as the target describes it. */
export type DataTarget = NonNullable<SliverTarget['data']>

/** A file that is being downloaded, from a byte on. */
export interface Download {
  /** The first byte; 0 when the server sends the whole file. */
  readonly fromByte: number
  readonly content: AsyncIterable<Uint8Array>
}

/** Options of {@link openArchives}. */
export interface ArchivesOptions {
  /** The folder of the archives, for them alone. */
  readonly dir: string
  /** Download a file from a byte on. */
  readonly fetchFrom: (uri: string, fromByte: number, signal: AbortSignal) => Promise<Download>
}

/** Options of {@link Archives.use}. */
export interface UseOptions<T> {
  /** The disk space that the download must leave free because it is promised to others, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
  /** Called with the path of the archive, which stays until the task has ended. */
  readonly task: (file: string) => Promise<T>
}

/** The data archives on this node. Each is downloaded and checked once, and kept while a sliver has it: a sliver is reset with the data that it was made with. */
export interface Archives {
  /**
   * Use an archive. It is downloaded if it is not here; a download that was cut goes on where it was, also after a restart of the agent.
   *
   * @throws {@link LabError} LAB_DATA_UNREACHABLE, LAB_DATA_CHECKSUM, LAB_DATA_NO_ROOM; what the task throws.
   */
  use<T>(data: DataTarget, options: UseOptions<T>): Promise<T>
  /**
   * Remove the archives that are neither used by a task nor by a sliver. `isUsed` gets the SHA-256 of each. What there is of one whose download was cut a short time ago stays,
   * because it is tried again: the files of a run are not those of a sliver.
   */
  prune(isUsed: (sha256: string) => boolean): Promise<void>
}

const partExtension = '.part'
/** How long what there is of an archive stays after its download was cut, in milliseconds. It is tried again within seconds. */
const cutKeptMs = 10 * 60_000

/** Keep data archives in a folder. */
export function openArchives({ dir, fetchFrom }: ArchivesOptions): Archives {
  const serial = createSerial()
  /** The number of tasks that use an archive, by SHA-256. */
  const users = new Map<string, number>()
  /** When downloads were cut, by SHA-256, in milliseconds since this process began. */
  const cuts = new Map<string, number>()
  const wasCut = (sha256: string): boolean =>
    performance.now() - (cuts.get(sha256) ?? -Infinity) < cutKeptMs
  const fileOf = (sha256: string): string => join(dir, sha256)

  async function list(): Promise<readonly string[]> {
    return readdir(dir).catch((error: unknown) => {
      // No archive was ever downloaded.
      if (isErrno(error, 'ENOENT')) return []
      throw error
    })
  }

  async function ensure(
    data: DataTarget,
    { keptMiB, signal }: Pick<UseOptions<unknown>, 'keptMiB' | 'signal'>,
  ): Promise<string> {
    const file = fileOf(data.sha256)
    if (await exists(file)) return file
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const tooFull = (kept: number): LabError => new LabError('LAB_DATA_NO_ROOM', { keptMiB: kept })
    using space = await guardSpace(dir, { tooFull, keptMiB, signal })
    const part = file + partExtension
    cuts.delete(data.sha256)
    const found = await download(part, data, { fetchFrom, signal: space.signal }).catch(
      (error: unknown) => {
        if (LabError.is(error, 'LAB_DATA_UNREACHABLE')) cuts.set(data.sha256, performance.now())
        throw error
      },
    )
    if (found !== data.sha256) {
      await rm(part, { force: true })
      throw new LabError('LAB_DATA_CHECKSUM', { expected: data.sha256, found })
    }
    await rename(part, file)
    return file
  }

  return {
    async use(data, { task, ...options }) {
      const { sha256 } = data
      users.set(sha256, (users.get(sha256) ?? 0) + 1)
      const { signal } = options
      const left = Promise.withResolvers<never>()
      // A sliver that is removed does not wait for the download of another one that has the same archive.
      const leave = (): void => left.reject(signal.reason as Error)
      signal.addEventListener('abort', leave, { once: true })
      const here = serial.run(sha256, async () => {
        signal.throwIfAborted()
        return ensure(data, options)
      })
      try {
        signal.throwIfAborted()
        return await task(await Promise.race([here, left.promise]))
      } finally {
        signal.removeEventListener('abort', leave)
        here.catch(() => undefined)
        const others = (users.get(sha256) ?? 0) - 1
        if (others > 0) users.set(sha256, others)
        else users.delete(sha256)
      }
    },
    async prune(isUsed) {
      for (const name of await list()) {
        const sha256 = name.replace(partExtension, '')
        const isCut = name.endsWith(partExtension) && wasCut(sha256)
        if (users.has(sha256) || isUsed(sha256) || isCut) continue
        await rm(join(dir, name), { force: true })
        cuts.delete(sha256)
      }
    },
  }
}

/**
 * Download the rest of an archive. What is there of it stays when the download is cut. Returns the SHA-256 of the whole.
 *
 * @throws {@link LabError} LAB_DATA_UNREACHABLE; the signal's reason.
 */
async function download(
  part: string,
  { uri, sha256, size_bytes: sizeBytes }: DataTarget,
  { fetchFrom, signal }: Pick<ArchivesOptions, 'fetchFrom'> & { readonly signal: AbortSignal },
): Promise<string> {
  await using handle = await open(part, 'a', 0o600)
  let size = (await handle.stat()).size
  let hash = createHash('sha256')
  if (size > 0) await hashFile(part, hash, signal)
  if (size === sizeBytes) return hash.digest('hex')
  try {
    const { fromByte, content } = await fetchFrom(uri, size, signal)
    if (fromByte !== size) {
      await handle.truncate(0)
      size = 0
      hash = createHash('sha256')
    }
    for await (const chunk of content) {
      signal.throwIfAborted()
      size += chunk.length
      if (size > sizeBytes) throw new Error(`it is longer than ${sizeBytes} bytes`)
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw new LabError('LAB_DATA_UNREACHABLE', { sha256, reason: messageOf(cause) }, { cause })
  }
  await handle.sync()
  return hash.digest('hex')
}

async function hashFile(file: string, hash: Hash, signal: AbortSignal): Promise<void> {
  await pipeline(createReadStream(file), async function (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      signal.throwIfAborted()
      hash.update(chunk)
    }
  })
}
