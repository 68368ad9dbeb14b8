import { resolve } from 'node:path'

/** The `paths` and the `baseUrl` of a `tsconfig.json`. */
export interface PathSettings {
  /** The folder from which the targets of `paths` are resolved. */
  readonly folder: string
  /** Specifiers with at most one `*`, and their targets in the order in which they are tried. */
  readonly paths: Readonly<Record<string, readonly string[]>>
  /** The folder in which every name is looked for before packages are; null when there is none. */
  readonly base: string | null
}

/**
 * Return the paths that a specifier may stand for, in the order in which they are tried.
 *
 * Source: TypeScript 5.9, `tryLoadModuleUsingOptionalResolutionSettings`: the exact pattern, or else the one with the longest text before its `*`.
 */
export function pathsFor(id: string, settings: PathSettings | null): readonly string[] {
  if (settings === null || /^[./]|^\w+:/u.test(id)) return []
  const { folder, paths, base } = settings
  const matching = Object.keys(paths)
    .filter((pattern) => pattern === id || matchOf(pattern, id) !== null)
    .toSorted((a, b) => Number(b === id) - Number(a === id) || b.indexOf('*') - a.indexOf('*'))
  const [pattern] = matching
  const star = pattern === undefined ? null : matchOf(pattern, id)
  const targets = pattern === undefined ? [] : (paths[pattern] ?? [])
  const found = targets.map((target) =>
    resolve(
      folder,
      target.replace('*', () => star ?? ''),
    ),
  )
  return base === null ? found : [...found, resolve(base, id)]
}

/** Return what stands in the place of the `*` of a pattern; null when it does not match or has none. */
function matchOf(pattern: string, id: string): string | null {
  const at = pattern.indexOf('*')
  if (at === -1) return null
  const [before, after] = [pattern.slice(0, at), pattern.slice(at + 1)]
  const isMatch =
    id.length >= before.length + after.length && id.startsWith(before) && id.endsWith(after)
  return isMatch ? id.slice(at, id.length - after.length) : null
}
