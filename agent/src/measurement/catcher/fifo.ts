import { execFile } from 'node:child_process'
import { constants, type Stats } from 'node:fs'
import { chmod, chown, lstat, mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { measurePath } from '@community-lab/contract'

/** Anyone may write, and only the agent may read: a program cannot take away samples of another one. */
const fifoMode = 0o622

/** Return the path of a sliver's FIFO, in the folder that the sliver sees as `/run/community-lab`. */
export function fifoPath(measureDir: string): string {
  return join(measureDir, basename(measurePath))
}

/**
 * Make a sliver's FIFO unless it exists, and open it. While it is open here, writers get no error, and nothing in it is lost when the catcher is killed and
 * started again. An OCI runtime that gets a FIFO as standard output changes its owner to the container's root; the owner is changed back.
 */
export async function openFifo(measureDir: string): Promise<FileHandle> {
  const path = fifoPath(measureDir)
  await mkdir(measureDir, { recursive: true })
  await chmod(measureDir, 0o755)
  const found = await find(path)
  if (found !== null && !found.isFIFO()) await rm(path, { recursive: true })
  if (found?.isFIFO() !== true) await promisify(execFile)('mkfifo', [path])
  const uid = process.getuid?.() ?? 0
  if (found !== null && found.uid !== uid) await chown(path, uid, process.getgid?.() ?? 0)
  await chmod(path, fifoMode)
  return await open(path, constants.O_RDWR | constants.O_NONBLOCK)
}

async function find(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch {
    // The FIFO does not exist yet. Any other cause fails again, with an error, when the FIFO is made.
    return null
  }
}
