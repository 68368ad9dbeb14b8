import { isUtf8 } from 'node:buffer'
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { LabError, messageOf } from '@community-lab/contract'
import tar, { type Header } from 'tar-stream'
import { localPath } from './local-path.ts'

/** Files by their path in the target folder; or the path of a file or folder of this machine. */
export type Files = Readonly<Record<string, string | Uint8Array>> | string

/** The most bytes of one upload, which is packed in memory. */
const maxBytes = 1024 ** 3

/** Options of {@link packFiles}. */
export interface PackOptions {
  /** Replaces the modes of files. */
  readonly mode?: number | undefined
  /**
   * Replaces the times of change, and takes the right to write from group and others. Then the archive depends on the files alone. So they must not change
   * while they are packed.
   */
  readonly changedAt?: Date
}

/** The right to write of the group and of others. Whether files have it depends on the umask of who made them, 0002 or 0022. */
const writeOfOthers = 0o022

/**
 * Pack files into a tar archive, in memory. A file of this machine is packed under its own name. A folder is packed as its content: empty folders, symbolic
 * links as links, modes, and times of change, so that `make` knows what is new. Files that are given as text or bytes have
 * mode 0644 by default and were changed now.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a path that leads out of the folder or does not exist; for something that is neither a file, folder nor
 * link; and for more than 1 GiB.
 */
export async function packFiles(
  files: Files,
  { mode, changedAt }: PackOptions = {},
): Promise<Buffer> {
  const entries =
    typeof files === 'string' ? await readLocal(files, changedAt !== undefined) : readGiven(files)
  const pack = tar.pack()
  const packed = buffer(pack)
  const now = new Date()
  const fixed = changedAt === undefined ? {} : { mtime: changedAt }
  for (const { content, ...entry } of entries) {
    const isFile = (entry.type ?? 'file') === 'file'
    const own = isFile && mode !== undefined ? { mode } : {}
    const shared =
      changedAt === undefined || entry.mode === undefined
        ? {}
        : { mode: entry.mode & ~writeOfOthers }
    pack.entry({ mtime: now, ...entry, ...shared, ...own, ...fixed }, Buffer.from(content))
  }
  pack.finalize()
  return packed
}

type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content: string | Uint8Array }

function readGiven(files: Readonly<Record<string, string | Uint8Array>>): Entry[] {
  const sorted = Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1))
  return sorted.map(([name, content]) => {
    const normal = path.posix.normalize(name)
    if (
      name.includes('\0') ||
      path.posix.isAbsolute(normal) ||
      normal.split('/').includes('..') ||
      normal === '.'
    )
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'the path of a file to upload',
        found: JSON.stringify(name),
        expected: 'a path under the folder that it goes to',
      })
    return { name: normal, content, mode: 0o644 }
  })
}

/** Read what is at a path of this machine. With `mustBeStill`, it is refused when something in it changes meanwhile. */
async function readLocal(given: string, mustBeStill: boolean): Promise<Entry[]> {
  const local = localPath(given)
  try {
    // The path itself may be a link: a link to a folder stands for the folder.
    const isFolder = (await stat(local)).isDirectory()
    const names = isFolder ? await namesIn(local) : [path.basename(local)]
    const folder = isFolder ? local : path.dirname(local)
    const entries: Entry[] = []
    let bytes = 0
    const before = mustBeStill ? await lookAt(folder, names) : null
    // Read one file after another, because a folder may have more files than a process may open at once.
    for (const name of names.sort()) {
      const entry = await readEntry(folder, name, isFolder)
      bytes += entry.content.length
      if (bytes > maxBytes) throw tooLarge()
      entries.push(entry)
    }
    if (before !== null)
      requireSame(before, await lookAt(folder, isFolder ? await namesIn(local) : names))
    return entries
  } catch (cause) {
    const found = `${JSON.stringify(local)} (${messageOf(cause)})`
    throw new LabError(
      'LAB_ARGUMENT_INVALID',
      {
        argument: 'what to upload',
        found,
        expected: 'a file of this machine, or a folder of files, folders and links, up to 1 GiB',
      },
      { cause },
    )
  }
}

/** Look at files by their names in a folder. What changes of one changes its text. */
async function lookAt(
  folder: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const looks = new Map<string, string>()
  for (const name of names) {
    // Times in nanoseconds, and the time of any change, which no program can set.
    const { ino, mode, size, mtimeNs, ctimeNs } = await lstat(path.join(folder, name), {
      bigint: true,
    })
    looks.set(name, [ino, mode, size, mtimeNs, ctimeNs].join())
  }
  return looks
}

/** Require that files are as they were. @throws an error that names one that is not. */
function requireSame(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): void {
  const names = [...before.keys(), ...after.keys()]
  const changed = names.find((name) => before.get(name) !== after.get(name))
  if (changed !== undefined)
    throw new Error(
      `${changed} changed while it was read; run this again once nothing writes to it`,
    )
}

function tooLarge(): Error {
  return new Error(`more than ${maxBytes} bytes`)
}

/** List the content of a folder and of its subfolders. Links are not followed, because they may form a cycle. */
async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name)))
}

/** Where a link leads to. An archive here holds texts, and a target that is none would be another one. */
async function readTarget(file: string, name: string): Promise<string> {
  const target = await readlink(file, 'buffer')
  if (isUtf8(target)) return target.toString()
  throw new Error(`${name} is a link to a name that is not UTF-8`)
}

async function readEntry(folder: string, name: string, keepsLinks: boolean): Promise<Entry> {
  const file = path.join(folder, name)
  const found = await (keepsLinks ? lstat(file) : stat(file))
  const entry = { name, mode: found.mode & 0o7777, mtime: found.mtime }
  if (found.isDirectory()) return { ...entry, type: 'directory', content: '' }
  if (found.isSymbolicLink())
    return { name, type: 'symlink', linkname: await readTarget(file, name), content: '' }
  if (found.isFile()) {
    // Do not read a file of this size. A file that grows meanwhile counts with the bytes that were read.
    if (found.size > maxBytes) throw tooLarge()
    return { ...entry, content: await readFile(file) }
  }
  throw new Error(`${name} is neither a file, a folder nor a link`)
}
