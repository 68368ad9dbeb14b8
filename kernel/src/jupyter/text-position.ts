/**
 * Turn a cursor counted in code points (Jupyter's way) into one counted in UTF-16 units (TypeScript's way). What lies beyond the end of the
 * text becomes its end.
 */
export function toUtf16Offset(text: string, codePoints: number): number {
  let offset = 0
  for (let n = 0; n < codePoints && offset < text.length; n += 1)
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1
  return offset
}

/** The other way round: an offset in UTF-16 units as a number of code points. */
export function toCodePointOffset(text: string, utf16: number): number {
  return Array.from(text.slice(0, utf16)).length
}
