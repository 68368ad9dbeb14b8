import { readFileSync } from 'node:fs'
import { findPackageJSON, isBuiltin } from 'node:module'
import { fileStamp } from '../compile/file-stamp.ts'

/** A package as it was when a cell first imported it. */
interface LoadedPackage {
  readonly version: string
  /** The stamp of its package.json when it was loaded, or when a cell was told of a change. */
  readonly stamp: string
}

/** The packages that cells have imported. Node keeps a package as it was loaded, and so does the compiler with its types. */
export class LoadedPackages {
  readonly #loaded = new Map<string, LoadedPackage>()

  /** Note that a cell imports a package, from where one of these URLs finds it. Returns a sentence when the package has changed since it was loaded. */
  note(id: string, urls: readonly string[]): string | null {
    if (isBuiltin(id)) return null
    const path = urls.map((url) => maybePackageFile(id, url)).find((each) => each !== null)
    if (path == null) return null
    const stamp = fileStamp(path)
    const before = this.#loaded.get(path)
    if (before?.stamp === stamp) return null
    const found = maybeRead(path)
    // It is being written now, so the next import of it tells.
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
    // Not found from there. The import itself says so, if it fails.
    return null
  }
}

/** A package's name and version; null while its package.json is written or is away. */
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
