import { runOutputMeasurement } from '@community-lab/contract'

/** The most bytes in one row of output. A text of so many, also in base64, fits into a field of a sample. */
export const rowBytes = 3072

/** A row of output, or of the content of a file. `at_byte` is the position of its first byte. */
export interface OutputFields {
  /** What the row belongs to. */
  readonly run: string
  readonly at_byte: number
  readonly text?: string
  readonly base64?: string
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The name of the samples of output. */
export const outputName = runOutputMeasurement

/**
 * Divide bytes of output into rows. A character is not divided between two rows. When more bytes follow, the beginning of a character at the end is left for
 * the next call.
 */
export function cutOutput(
  run: string,
  bytes: Uint8Array,
  { atByte, isLast }: { readonly atByte: number; readonly isLast: boolean },
): { readonly rows: readonly OutputFields[]; readonly bytesRead: number } {
  const rows: OutputFields[] = []
  let at = 0
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + rowBytes)
    const mayContinue = end < bytes.length || !isLast
    const cut = mayContinue ? beforeBegun(bytes, at, end) : end
    if (cut === at) break
    const part = bytes.subarray(at, cut)
    rows.push({ run, at_byte: atByte + at, ...write(part) })
    at = cut
  }
  return { rows, bytesRead: at }
}

/** Return where the last character begins if it is not complete; otherwise the end. Source: RFC 3629, section 3. */
function beforeBegun(bytes: Uint8Array, from: number, end: number): number {
  for (let at = end - 1; at >= from && at >= end - 3; at--) {
    const byte = bytes[at] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return byte < 0xf8 && at + length > end ? at : end
  }
  return end
}

function write(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  try {
    const text = decoder.decode(bytes)
    if (!text.includes('\0')) return { text }
  } catch {
    // It is no UTF-8.
  }
  return { base64: Buffer.from(bytes).toString('base64') }
}
