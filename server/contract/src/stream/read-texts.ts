import { maxTextLength, padded, type BlockMemory } from './block.ts'

/** The dictionary of a column of texts, and where its rows begin. */
export interface Texts {
  readonly entries: readonly string[]
  /** Where the numbers of the rows' entries begin in the memory, in bytes. */
  readonly at: number
  /** The bytes of each of these numbers; 0 when there is one entry. */
  readonly width: number
  /** The characters of the texts of all rows together, in UTF-16 code units. */
  readonly characters: number
}

/** How many times as long as a column its texts may be when each row has its own. So a short message never becomes a large amount of rows. */
const mostExpansion = 64
/** Texts of all rows together may have this many characters in any case. `writeBlocks` ends a block of several samples at a third of 256 KiB of them. */
const freeCharacters = 96 * 1024

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Read the dictionary of a column of texts. Returns what is wrong with it otherwise. */
export function readTexts(
  { bytes, shorts, words }: BlockMemory,
  { at, end, rows }: { readonly at: number; readonly end: number; readonly rows: number },
): (Texts & { readonly end: number }) | string {
  if (at + 8 > end) return 'a dictionary has no head'
  const count = shorts[at / 2] ?? 0
  const width = bytes[at + 2] ?? 0
  const textBytes = words[at / 4 + 1] ?? 0
  if (count === 0 || count > rows || width !== widthFor(count))
    return 'a dictionary has a wrong size'
  const textsAt = at + 8 + 2 * count
  const rowsAt = textsAt + textBytes
  if (rowsAt + width * rows > end) return 'a dictionary is too long'
  const entries: string[] = []
  let textAt = textsAt
  for (let entry = 0; entry < count; entry++) {
    const length = shorts[at / 2 + 4 + entry] ?? 0
    if (textAt + length > rowsAt) return 'a text is too long'
    const text = read(bytes, textAt, length)
    if (text === null) return 'a text is not UTF-8'
    if (text.length > maxTextLength) return `a text has more than ${maxTextLength} characters`
    entries.push(text)
    textAt += length
  }
  if (textAt !== rowsAt) return 'a dictionary is longer than its texts'
  const texts = { entries, at: rowsAt, width, end: padded(rowsAt + width * rows) }
  if (texts.end > end) return 'a dictionary is too long'
  const characters = countCharacters(bytes, texts, rows)
  if (characters === null) return 'a row has a text that is not in the dictionary'
  const most = freeCharacters + mostExpansion * (texts.end - at)
  return characters > most ? 'its texts are too long' : { ...texts, characters }
}

function widthFor(count: number): number {
  if (count === 1) return 0
  return count <= 256 ? 1 : 2
}

/** Count the characters of all rows; null when one has no text. */
function countCharacters(
  bytes: Uint8Array,
  { entries, at, width }: Pick<Texts, 'entries' | 'at' | 'width'>,
  rows: number,
): number | null {
  let characters = 0
  for (let row = 0; row < rows; row++) {
    const index = at + width * row
    const entry =
      width === 0 ? 0 : (bytes[index] ?? 0) + (width === 2 ? 256 * (bytes[index + 1] ?? 0) : 0)
    const text = entries[entry]
    if (text === undefined) return null
    characters += text.length
  }
  return characters
}

function read(bytes: Uint8Array, at: number, length: number): string | null {
  try {
    return decoder.decode(bytes.subarray(at, at + length))
  } catch {
    // The caller says what is wrong.
    return null
  }
}
