import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A folder for temporary files that only this user can read. */
export interface Scratch {
  readonly folder: string
  remove(): Promise<void>
}

const folders = new Set<string>()

/** Make a temporary folder. It is removed when the process ends, at the latest. */
export async function makeScratch(): Promise<Scratch> {
  if (folders.size === 0) process.once('exit', removeAll)
  const folder = await mkdtemp(path.join(tmpdir(), 'community-lab-'))
  folders.add(folder)
  return {
    folder,
    async remove() {
      await rm(folder, { recursive: true, force: true })
      folders.delete(folder)
      if (folders.size === 0) process.off('exit', removeAll)
    },
  }
}

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
