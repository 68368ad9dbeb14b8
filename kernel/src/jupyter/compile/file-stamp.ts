import { statSync } from 'node:fs'

/** A text that changes when a file does: when it was written, its size, and which file it is. */
export function fileStamp(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.mtimeMs}-${stat.size}-${stat.ino}`
}
