/** The number of bytes at the beginning of a file that tell its kind: those up to the end of the mark of tar. */
export const archiveHeadBytes = 262

const tarMarkAt = 257

/**
 * Tell the kind of an archive by the beginning of its file; null: it is none. Of a compressed file nobody knows what is in it before it is read.
 *
 * Source: RFC 1952, 2.3.1 (gzip); RFC 8878, 3.1.1 (zstd); POSIX, pax (`ustar`).
 */
export function archiveKindOf(head: Uint8Array): 'gzip' | 'zstd' | 'tar' | null {
  const has = (at: number, mark: readonly number[]): boolean =>
    mark.every((byte, index) => head[at + index] === byte)
  if (has(0, [0x1f, 0x8b])) return 'gzip'
  if (has(0, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd'
  return has(tarMarkAt, [0x75, 0x73, 0x74, 0x61, 0x72]) ? 'tar' : null
}
