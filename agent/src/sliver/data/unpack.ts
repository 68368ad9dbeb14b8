import { createReadStream } from 'node:fs'
import { chmod, lchown, link, lstat, lutimes, open, symlink, utimes } from 'node:fs/promises'
import { PassThrough, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { archiveHeadBytes, archiveKindOf, LabError, messageOf } from '@community-lab/contract'
import tar, { type Extract, type Header } from 'tar-stream'
import { isErrno, isFull } from '../../errno.ts'
import { mapOrNobody } from '../domain/ids.ts'
import { createMerge, type Merge, type MergeOptions } from './merge.ts'

/** Options of {@link unpackData}. */
export interface UnpackOptions extends Omit<MergeOptions, 'onMake'> {
  /** The most that an archive may contain: what the sliver's disk can have. */
  readonly most: { readonly mib: number; readonly entries: number }
  readonly signal: AbortSignal
}

/**
 * Unpack a data archive over a template. Files, folders, symbolic links and hard links to files of the archive keep their modes, setuid bits included, their
 * owners (as ids of the sliver) and their times. Devices, FIFOs and extended attributes are left out, so an archive adds and replaces, and removes nothing.
 * What goes beyond the bounds is refused as soon as that is known. What was unpacked until then stays in `upper`.
 *
 * @throws {@link LabError} LAB_DATA_INVALID, LAB_DATA_TOO_LARGE; the signal's reason.
 */
export async function unpackData(file: string, options: UnpackOptions): Promise<void> {
  const { signal } = options
  const content = createReadStream(file)
  const unpacking = new Unpacking(options)
  try {
    const stages = [content, await decompressor(file), unpacking.meter(), unpacking.input] as const
    const [done, piped] = await Promise.allSettled([
      unpacking.done,
      pipeline(...stages, { signal }),
    ])
    signal.throwIfAborted()
    const failures = [piped, done].flatMap((one) =>
      one.status === 'rejected' ? [toError(one.reason)] : [],
    )
    // A failure of one end breaks the other.
    const cause =
      failures.find((one) => LabError.is(one)) ??
      failures.find((one) => !isErrno(one, 'ERR_STREAM_PREMATURE_CLOSE'))
    const [first] = failures
    if (first !== undefined) throw cause ?? first
    await unpacking.finish()
  } catch (error) {
    signal.throwIfAborted()
    if (LabError.is(error) || isFull(error)) throw error
    const details = { entry: unpacking.entry, reason: messageOf(error) }
    throw new LabError('LAB_DATA_INVALID', details, { cause: error })
  } finally {
    content.destroy()
  }
}

/** The memory that zstd may need: 8 MiB, as much as `zstd -19` needs. The node's memory is small, and an archive could ask for 2 GiB. */
const zstdWindowLog = 23

async function decompressor(file: string): Promise<Transform> {
  await using handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(archiveHeadBytes), { position: 0 })
  const kind = archiveKindOf(buffer)
  if (kind === 'gzip') return createGunzip()
  if (kind !== 'zstd') return new PassThrough()
  return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } })
}

/** What an archive may have besides content, in bytes: in all, and for each entry (its head, long names). More is a bomb. */
const overhead = { bytes: 2 ** 20, bytesPerEntry: 16_384 } as const
const blockBytes = 512
const mib = 2 ** 20

/** An entry of an archive. */
type ArchiveEntry = Extract extends AsyncIterable<infer Entry> ? Entry : never

/** An archive that is being unpacked. */
class Unpacking {
  readonly #options: UnpackOptions
  readonly #merge: Merge
  readonly #extract: Extract = tar.extract()
  /** The times of folders, which making files in them changes. */
  readonly #folderTimes = new Map<string, Date>()
  /** Settles when the last entry was unpacked. */
  readonly done: Promise<void>
  /** Takes the tar archive. */
  readonly input: Writable
  /** The name of the entry at hand, for errors. */
  entry: string | null = null
  #entries = 0
  #contentBytes = 0

  constructor(options: UnpackOptions) {
    this.#options = options
    this.#merge = createMerge({ ...options, onMake: () => this.#count() })
    this.input = writableOf(this.#extract)
    this.done = this.#takeAll()
    // It is awaited together with the pipe, which may fail before.
    this.done.catch(() => undefined)
  }

  /** Count what passes, so that a bomb ends before it is unpacked. */
  meter(): Transform {
    let passedBytes = 0
    return new Transform({
      transform: (chunk: Buffer, _encoding, next) => {
        passedBytes += chunk.length
        const most = this.#contentBytes + overhead.bytes + this.#entries * overhead.bytesPerEntry
        if (passedBytes <= most) next(null, chunk)
        else next(invalid(this.entry, 'it has far more bytes than files'))
      },
    })
  }

  /** Set the times of the folders. */
  async finish(): Promise<void> {
    for (const [path, time] of this.#folderTimes) await utimes(path, time, time)
  }

  #takeAll(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        reject(toError(error))
        this.input.destroy()
      }
      // tar-stream's own iterator would wait for ever after its consumer has failed.
      this.#extract.on('entry', (_header, entry, next) => {
        // An error without a listener would end the process. The archive reports the same error.
        entry.on('error', reject)
        this.#take(entry).then(() => next(), fail)
      })
      this.#extract.on('finish', () => resolve())
      this.#extract.on('error', fail)
      this.#extract.on('close', () => fail(new Error('the archive ends in the middle')))
    })
  }

  async #take(entry: ArchiveEntry): Promise<void> {
    const { header } = entry
    this.entry = header.name.slice(0, 200)
    this.#contentBytes += Math.ceil(header.size / blockBytes) * blockBytes
    if (this.#contentBytes > this.#options.most.mib * mib) throw this.#tooLarge()
    const names = this.#namesOf(header.name)
    // GNU tar and BSD's mark a sparse file so. Its content is a list of what it has, and then that. Source: GNU tar, "Storing Sparse Files".
    if (Object.keys(header.pax ?? {}).some((name) => name.startsWith('GNU.sparse.')))
      throw invalid(
        this.entry,
        'it is a sparse file; pack it without --sparse, or with --no-read-sparse',
      )
    switch (header.type) {
      case 'directory':
        await this.#makeFolder(header, names)
        break
      case 'file':
      case 'contiguous-file':
        await this.#writeFile(entry, names)
        break
      case 'symlink': {
        const path = await this.#merge.place(names)
        await symlink(header.linkname, path)
        await lchown(path, ...this.#ownersOf(header))
        await lutimes(path, ...timesOf(header))
        break
      }
      case 'link':
        await this.#linkFile(header, names)
        break
      case 'character-device':
      case 'block-device':
      case 'fifo':
        break
      default:
        throw invalid(this.entry, 'it is of a kind that slivers do not get (a sparse file?)')
    }
    entry.resume()
  }

  async #makeFolder(header: Header, names: readonly string[]): Promise<void> {
    const { path, isOfTemplate } = await this.#merge.folder(names)
    // A sliver whose `/root` had the mode of somebody's own folder could not be reached: SSH refuses keys where others may write.
    if (isOfTemplate) return
    await lchown(path, ...this.#ownersOf(header))
    await chmod(path, modeOf(header))
    this.#folderTimes.set(path, timesOf(header)[0])
  }

  async #writeFile(entry: ArchiveEntry, names: readonly string[]): Promise<void> {
    const path = await this.#merge.place(names)
    await using handle = await open(path, 'wx', 0o600)
    for await (const chunk of entry as AsyncIterable<Uint8Array>) await handle.writeFile(chunk)
    await handle.chown(...this.#ownersOf(entry.header))
    // Changing the owner has cleared the setuid bits.
    await handle.chmod(modeOf(entry.header))
    await handle.utimes(...timesOf(entry.header))
  }

  async #linkFile({ linkname }: Header, names: readonly string[]): Promise<void> {
    const target = this.#namesOf(linkname)
    const { path: folder } = await this.#merge.folder(target.slice(0, -1))
    const source = [folder, ...target.slice(-1)].join('/')
    const isFile = await lstat(source).then(
      (found) => found.isFile(),
      () => false,
    )
    if (!isFile)
      throw invalid(
        this.entry,
        `it is a second name of ${JSON.stringify(linkname)}, which is no file of the archive before it`,
      )
    const path = await this.#merge.place(names)
    await link(source, path)
  }

  /** Divide a path of the archive into names. A leading slash means the root of the sliver. */
  #namesOf(path: string): readonly string[] {
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    if (names.includes('..')) throw invalid(this.entry, 'its path leads upwards ("..")')
    if (/[\0\uFFFD]/u.test(path)) throw invalid(this.entry, 'its name is no text in UTF-8')
    return names
  }

  #ownersOf({ uid, gid }: Header): [number, number] {
    const { ids } = this.#options
    return [mapOrNobody(ids, uid), mapOrNobody(ids, gid)]
  }

  #count(): void {
    const { entries: limit } = this.#options.most
    this.#entries += 1
    if (this.#entries > limit)
      throw new LabError('LAB_DATA_TOO_LARGE', { what: 'files and folders', limit })
  }

  #tooLarge(): LabError {
    return new LabError('LAB_DATA_TOO_LARGE', { what: 'MiB', limit: this.#options.most.mib })
  }
}

function modeOf({ mode }: Header): number {
  return mode & 0o7777
}

function timesOf({ mtime }: Header): [Date, Date] {
  const time = Number.isNaN(mtime.getTime()) ? new Date(0) : mtime
  return [time, time]
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function invalid(entry: string | null, reason: string): LabError {
  return new LabError('LAB_DATA_INVALID', { entry, reason })
}

/** Wrap tar-stream's stream, which is of another library, as a stream of Node. */
function writableOf(extract: Extract): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (extract.write(chunk)) done()
      else extract.once('drain', done)
    },
    final(done) {
      extract.once('finish', () => done())
      extract.end(undefined)
    },
    destroy(error, done) {
      if (!extract.destroyed) extract.destroy(error ?? new Error('the archive was cut off'))
      done(error)
    },
  })
}
