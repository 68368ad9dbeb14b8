import { homedir } from 'node:os'
import path from 'node:path'

/** Resolve a path of this machine. As in a shell, `~` at its beginning is the user's home. */
export function localPath(given: string): string {
  return /^~(?=\/|$)/u.test(given) ? path.join(homedir(), given.slice(1)) : given
}
