import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Write a file, mode 0600 unless told otherwise, so that it is there whole or not at all, also after a power cut. What a killed process left half-written
 * has a name that {@link isHalfWritten} knows. The packages for this (write-file-atomic, atomically, steno) do not sync the folder, so a power cut could
 * bring the old file back after the new one was acted upon.
 */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  const unique = `${process.pid}-${randomBytes(4).toString('hex')}`
  const temporary = join(dirname(path), `.${basename(path)}.${unique}.tmp`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** Tell whether a file's name is that of one that {@link writeWhole} was writing. */
export function isHalfWritten(name: string): boolean {
  return name.startsWith('.') && name.endsWith('.tmp')
}

/** Remove what killed processes were writing in a folder by {@link writeWhole}. Nobody may be writing there now. Folders of such a name are somebody else's, and stay. */
export async function removeHalfWritten(dir: string): Promise<void> {
  const found = await readdir(dir, { withFileTypes: true })
  const left = found.filter((each) => isHalfWritten(each.name) && !each.isDirectory())
  await Promise.all(left.map(({ name }) => rm(join(dir, name), { force: true })))
}

/** See that the names in a folder survive a power cut. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
