import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Write a file (mode 0600 by default) as a whole or not at all, also across a power failure. A killed process leaves a half-written file under a name that
 * {@link isHalfWritten} recognizes. The packages for this (write-file-atomic, atomically, steno) do not sync the folder, so after a power failure the old file
 * could return although the new one was used already.
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

/** Tell whether a file's name is that of a half-written file of {@link writeWhole}. */
export function isHalfWritten(name: string): boolean {
  return name.startsWith('.') && name.endsWith('.tmp')
}

/**
 * Remove the half-written files that killed processes of {@link writeWhole} have left in a folder. No process may be writing there now. Folders with such a
 * name stay, because they belong to somebody else.
 */
export async function removeHalfWritten(dir: string): Promise<void> {
  const found = await readdir(dir, { withFileTypes: true })
  const left = found.filter((each) => isHalfWritten(each.name) && !each.isDirectory())
  await Promise.all(left.map(({ name }) => rm(join(dir, name), { force: true })))
}

/** Make sure that the names in a folder survive a power failure. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
