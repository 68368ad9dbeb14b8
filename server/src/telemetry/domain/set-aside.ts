/** How many files are kept that the list of sealed files does not have. */
export interface AsideBounds {
  readonly files: number
  readonly bytes: number
}

/** A file that was set aside, and when, in nanoseconds since the epoch. */
export interface AsideFile {
  readonly name: string
  readonly bytes: number
  readonly setAsideNs: bigint
}

/** The most names in a sentence. */
const maxNames = 20

/** Return the files that are more than may be kept: those that were set aside first. */
export function planAside<F extends AsideFile>(
  files: readonly F[],
  { files: maxFiles, bytes: maxBytes }: AsideBounds,
): readonly F[] {
  const latestFirst = [...files].sort((one, other) =>
    one.setAsideNs === other.setAsideNs
      ? other.name.localeCompare(one.name)
      : Number(other.setAsideNs - one.setAsideNs),
  )
  let bytes = 0
  return latestFirst
    .filter((file, index) => {
      bytes += file.bytes
      return index >= maxFiles || bytes > maxBytes
    })
    .reverse()
}

/** Say which files were removed. */
export function tellAside(
  dir: string,
  removed: readonly AsideFile[],
  { files, bytes }: AsideBounds,
): string {
  const names = removed.slice(0, maxNames).map(({ name }) => name)
  const more = removed.length - names.length
  const rest = more === 0 ? '' : ` and ${more} more`
  return `removed from ${dir}, which keeps ${files} files and ${bytes} bytes: ${names.join(', ')}${rest}, set aside first`
}
