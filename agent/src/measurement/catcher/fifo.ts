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
 * Make a sliver's FIFO where there is none, and open it. As long as it is held open, writers neither fail nor lose what is in it while its catcher is
 * started anew. An OCI runtime that was handed the FIFO has perhaps given it to the container's root: it is taken back.
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
