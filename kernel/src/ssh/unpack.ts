import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, rename, rm, symlink, utimes } from 'node:fs/promises'
import path from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LabError } from '@community-lab/contract'
import tar, { type Extract, type Header } from 'tar-stream'

/** The character that replaces bytes which are not UTF-8. */
const replacement = '\uFFFD'

/** Limits of unpacking. */
export interface UnpackLimits {
  /** The most bytes, all files together. */
  readonly maxBytes: number
  /** The most files, folders and links. */
  readonly maxEntries: number
}

/** The result of unpacking. */
export interface Unpacked {
  readonly files: number
  readonly bytes: number
  /** What was left out, and why: devices, and links that lead out of the folder. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
}

/** An entry of an archive. */
type ArchiveEntry = Extract extends AsyncIterable<infer Entry> ? Entry : never

/** Unpacks an archive from a sliver. Nothing is written outside of the folder, whatever the archive contains, because a sliver is not trusted. */
export class Unpacking {
  /** The stream to which the archive is written. */
  readonly input: Writable
  readonly #extract = tar.extract()
  readonly #what: string
  readonly #folder: string
  readonly #limits: UnpackLimits
  readonly #links: { readonly file: string; readonly target: string; readonly name: string }[] = []
  readonly #skipped: { readonly path: string; readonly reason: string }[] = []
  #files = 0
  #entries = 0
  #bytes = 0

  /** `what` names the archive in errors. */
  constructor(what: string, folder: string, limits: UnpackLimits) {
    this.#what = what
    this.#folder = path.resolve(folder)
    this.#limits = limits
    this.input = writableOf(this.#extract)
  }

  /**
   * Unpack until the end of the archive.
   *
   * @throws {@link LabError} LAB_DOWNLOAD_FAILED for a path that leads out of the folder, and for more than the limits allow.
   */
  async run(): Promise<Unpacked> {
    const made = mkdir(this.#folder, { recursive: true })
    await this.#takeAll(made)
    // Make links last, so that nothing is written through one of them.
    for (const { file, target, name } of this.#links) await this.#makeLink(file, target, name)
    return { files: this.#files, bytes: this.#bytes, skipped: this.#skipped }
  }

  /** Listen from the beginning, also while the folder is being made: events without a listener are lost. */
  #takeAll(made: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        reject(error instanceof Error ? error : new Error(String(error)))
        this.input.destroy()
      }
      // If the archive has no entries, only this reports the failure.
      made.catch(fail)
      // tar-stream's own iterator would wait for ever after its consumer has failed.
      this.#extract.on('entry', (_header, entry, next) => {
        // The entry may fail before anything reads it. An error without a listener would end the process. The archive reports the same error.
        entry.on('error', reject)
        const taken = made.then(() => this.#take(entry))
        taken.then(() => next(), fail)
      })
      this.#extract.on('finish', () => void made.then(() => resolve(), fail))
      this.#extract.on('error', reject)
    })
  }

  async #take(entry: ArchiveEntry): Promise<void> {
    const { header } = entry
    this.#entries += 1
    if (this.#entries > this.#limits.maxEntries)
      throw this.#fail(
        `it holds more than ${this.#limits.maxEntries} files; give maxEntries to take more`,
      )
    const name = path.posix.normalize(header.name).replace(/\/+$/u, '')
    const parts = name.split('/')
    if (path.posix.isAbsolute(name) || parts.includes('..') || name.includes('\0'))
      throw this.#fail(`it holds the path ${JSON.stringify(header.name)}, which leads out of it`)
    const file = path.join(this.#folder, ...parts)
    if (`${name}${header.linkname}`.includes(replacement)) {
      // Two such names could be one here, and the second file would replace the first.
      this.#skip(name, 'its name, or that of its target, is not UTF-8')
      entry.resume()
      return
    }
    if (name !== '.') await this.#enter(parts.slice(0, -1))
    if (header.type === 'directory') await this.#enter(name === '.' ? [] : parts)
    else if (header.type === 'file' || header.type === 'contiguous-file')
      await this.#writeFile(entry, file)
    else if (header.type === 'symlink') this.#links.push({ file, target: header.linkname, name })
    else if (header.type === 'link') await this.#copyLinked(header, file, name)
    else this.#skip(name, `it is a ${header.type}`)
    entry.resume()
  }

  /** Make the parent folders of a file. A link in their place is not followed. */
  async #enter(parts: readonly string[]): Promise<void> {
    let at = this.#folder
    for (const part of parts) {
      at = path.join(at, part)
      await mkdir(at).catch(ignoreExisting)
      if (!(await lstat(at)).isDirectory())
        throw this.#fail(`${path.relative(this.#folder, at)} is in the way of a folder`)
    }
  }

  async #writeFile(entry: ArchiveEntry, file: string): Promise<void> {
    const size = entry.header.size
    this.#bytes += size
    if (this.#bytes > this.#limits.maxBytes) throw this.#tooLarge()
    await this.#replace(file, async (draft) => {
      await pipeline(entry, createWriteStream(draft, { flags: 'wx' }))
      const { mode, mtime } = entry.header
      await chmod(draft, mode & 0o777)
      await utimes(draft, mtime, mtime)
    })
    this.#files += 1
  }

  /** Copy a file for a hard link to it. */
  async #copyLinked({ linkname }: Header, file: string, name: string): Promise<void> {
    const target = path.posix.normalize(linkname)
    const source = path.join(this.#folder, target)
    const isInside = !path.posix.isAbsolute(target) && !target.split('/').includes('..')
    const found = isInside ? await lstat(source).catch(() => null) : null
    if (found?.isFile() !== true) {
      this.#skip(name, `it is a second name of ${JSON.stringify(linkname)}, which did not come`)
      return
    }
    this.#bytes += found.size
    if (this.#bytes > this.#limits.maxBytes) throw this.#tooLarge()
    await this.#replace(file, (draft) => copyFile(source, draft))
    this.#files += 1
  }

  async #makeLink(file: string, target: string, name: string): Promise<void> {
    const to = path.resolve(path.dirname(file), target)
    const isInside = to === this.#folder || to.startsWith(this.#folder + path.sep)
    if (path.isAbsolute(target) || !isInside) {
      this.#skip(name, `it is a link that leads out, to ${JSON.stringify(target)}`)
      return
    }
    await this.#replace(file, (draft) => symlink(target, draft))
    this.#files += 1
  }

  /** Replace a file as a whole or not at all. An existing link is replaced, not followed. */
  async #replace(file: string, write: (draft: string) => Promise<void>): Promise<void> {
    const draft = path.join(path.dirname(file), `.community-lab-${randomUUID()}`)
    try {
      await write(draft)
      await rename(draft, file)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  #skip(name: string, reason: string): void {
    this.#skipped.push({ path: name, reason })
  }

  #tooLarge(): LabError {
    const { maxBytes } = this.#limits
    return this.#fail(`it holds more than ${maxBytes} bytes; give maxBytes to take more`)
  }

  #fail(reason: string): LabError {
    return new LabError('LAB_DOWNLOAD_FAILED', { what: this.#what, reason })
  }
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

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
}
