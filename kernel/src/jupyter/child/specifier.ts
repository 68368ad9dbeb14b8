import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Return the path of a file URL without its version; null for other URLs. */
export function pathOf(url: string | undefined): string | null {
  if (url?.startsWith('file:') !== true) return null
  try {
    return fileURLToPath(url.replace(/[?#].*$/u, ''))
  } catch {
    // The URL is not a path on this host. Node reports that to the importer.
    return null
  }
}

/** Tell whether a specifier is a path or a file URL, not a package. */
export function isPath(id: string): boolean {
  return /^\.{1,2}(?:\/|$)/u.test(id) || isAbsolute(id) || id.startsWith('file:')
}
