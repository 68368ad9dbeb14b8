import { execFile } from 'node:child_process'
import { constants, type Stats } from 'node:fs'
import { chmod, chown, lstat, mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { measurePath } from '@community-lab/contract'

/** Anyone may write, nobody but the agent may read: a program cannot take away another one's samples. */
const fifoMode = 0o622

/** Where a sliver's FIFO is, in the folder that the sliver sees at `/run/community-lab`. */
export function fifoPath(measureDir: string): string {
  return join(measureDir, basename(measurePath))
}

/**
 * Make a sliver's FIFO unless it is there, and open it. While it is open here, writers do not fail and nothing in it is lost when the catcher dies and is
 * started again. An OCI runtime gives a FIFO that it gets as standard output to the container's root; the owner is set back.
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
    // Not made yet; any other reason fails again, and is told, when it is made.
    return null
  }
}
