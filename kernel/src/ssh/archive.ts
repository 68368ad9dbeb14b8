import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { LabError } from '@community-lab/contract'
import tar from 'tar-stream'

/** Files by their path under the folder they go to; or a file or folder of this machine. */
export type Files = Readonly<Record<string, string | Uint8Array>> | string

/**
 * Pack files into a tar archive, in memory. A file of this machine is packed under its own name; a folder's content without the folder. `mode` (default: that
 * of a local file, else 0644) is for files.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a path that leads out of the folder, or that there is none.
 */
export async function packFiles(files: Files, mode?: number): Promise<Buffer> {
  const entries = typeof files === 'string' ? await readLocal(files) : readGiven(files)
  const pack = tar.pack()
  const packed = buffer(pack)
  for (const { name, content, fileMode } of entries) {
    // Times of zero: the same files make the same archive.
    pack.entry({ name, mode: mode ?? fileMode, mtime: new Date(0) }, Buffer.from(content))
  }
  pack.finalize()
  return packed
}

interface Entry {
  readonly name: string
  readonly content: string | Uint8Array
  readonly fileMode: number
}

function readGiven(files: Readonly<Record<string, string | Uint8Array>>): Entry[] {
  return Object.entries(files).map(([name, content]) => {
    const normal = path.posix.normalize(name)
    if (path.posix.isAbsolute(normal) || normal.startsWith('..') || normal === '.')
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'the path of a file to upload',
        found: JSON.stringify(name),
        expected: 'a path under the folder that it goes to',
      })
    return { name: normal, content, fileMode: 0o644 }
  })
}

async function readLocal(local: string): Promise<Entry[]> {
  const names = await listLocal(local)
  return Promise.all(
    names.map(async ({ name, file }) => ({
      name,
      content: await readFile(file),
      fileMode: ((await stat(file)).mode & 0o111) === 0 ? 0o644 : 0o755,
    })),
  )
}

async function listLocal(local: string): Promise<{ name: string; file: string }[]> {
  try {
    if (!(await stat(local)).isDirectory()) return [{ name: path.basename(local), file: local }]
    const found = await readdir(local, { recursive: true, withFileTypes: true })
    return found
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((file) => ({ name: path.relative(local, file), file }))
  } catch (cause) {
    const found = `${JSON.stringify(local)} (${cause instanceof Error ? cause.message : String(cause)})`
    throw new LabError(
      'LAB_ARGUMENT_INVALID',
      { argument: 'what to upload', found, expected: 'a file or folder of this machine' },
      { cause },
    )
  }
}
