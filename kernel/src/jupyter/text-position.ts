/** Convert a position from code points (Jupyter) to UTF-16 code units (TypeScript). A position beyond the end becomes the end. */
export function toUtf16Offset(text: string, codePoints: number): number {
  let offset = 0
  for (let n = 0; n < codePoints && offset < text.length; n += 1)
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1
  return offset
}

/** Convert a position from UTF-16 code units to code points. */
export function toCodePointOffset(text: string, utf16: number): number {
  return Array.from(text.slice(0, utf16)).length
}
