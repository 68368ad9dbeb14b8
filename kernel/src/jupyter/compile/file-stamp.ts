import { statSync } from 'node:fs'

/** Return a text that changes when a file changes. It has the time of modification, the size and the identity of the file. */
export function fileStamp(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.mtimeMs}-${stat.size}-${stat.ino}`
}
