import { readFileSync } from 'node:fs'
import { findPackageJSON, isBuiltin } from 'node:module'
import { fileStamp } from '../compile/file-stamp.ts'

/** A package as it was when a cell first imported it. */
interface LoadedPackage {
  readonly version: string
  /** The stamp of its package.json when the package was loaded, or when a cell was last told of a change. */
  readonly stamp: string
}

/** The packages that cells have imported. Node does not reload a package, and the compiler does not reread its types. */
export class LoadedPackages {
  readonly #loaded = new Map<string, LoadedPackage>()

  /**
   * Note that a cell imports a package, which is looked up from each of these URLs in turn. Returns a sentence when the package has changed since it was
   * loaded.
   */
  note(id: string, urls: readonly string[]): string | null {
    if (isBuiltin(id)) return null
    const path = urls.map((url) => maybePackageFile(id, url)).find((each) => each !== null)
    if (path == null) return null
    const stamp = fileStamp(path)
    const before = this.#loaded.get(path)
    if (before?.stamp === stamp) return null
    const found = maybeRead(path)
    // An installation is writing it now. The next import tells of the change.
    if (found === null) return null
    const { name, version } = found
    this.#loaded.set(path, { version: before?.version ?? version, stamp })
    if (before === undefined) return null
    const what = before.version === version ? 'the same version again' : `version ${version} now`
    return `${name} was installed after this kernel had loaded it: version ${before.version} is in use, and there is ${what}. Restart the kernel to use it.`
  }
}

function maybePackageFile(id: string, url: string): string | null {
  try {
    return findPackageJSON(id, url) ?? null
  } catch {
    // Not found from this URL. The import itself fails if no URL finds it.
    return null
  }
}

/** Read the name and version of a package; null when its package.json is missing or half-written. */
function maybeRead(path: string): { readonly name: string; readonly version: string } | null {
  let found: unknown
  try {
    found = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
  const textOf = (key: string): string =>
    typeof found === 'object' && found !== null ? String(Reflect.get(found, key) ?? '?') : '?'
  return { name: textOf('name'), version: textOf('version') }
}
