/** Bytes of a file, both included; `none`: the asked bytes are not in the file; null: the whole file. */
export type ByteRange = { readonly from: number; readonly to: number } | 'none' | null

/**
 * Read the header `Range` for a file of so many bytes. What asks for several ranges, or is none, gets the whole file. Source: RFC 9110, sections 14.1.2 and 14.2.
 */
export function readByteRange(header: string | undefined, size: number): ByteRange {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/u.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return null
  if (first === '') {
    const length = Number(last)
    if (length === 0 || size === 0) return 'none'
    return { from: Math.max(0, size - length), to: size - 1 }
  }
  const from = Number(first)
  const to = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  // An end before the begin makes the header invalid, and it is ignored.
  if (last !== '' && Number(last) < from) return null
  return from >= size ? 'none' : { from, to }
}
