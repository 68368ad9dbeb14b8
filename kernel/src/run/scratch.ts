import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A folder for files that nobody needs later; only this user can read it. */
export interface Scratch {
  readonly folder: string
  remove(): Promise<void>
}

const folders = new Set<string>()

/** Make one. It goes with the process when it is not removed before. */
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
