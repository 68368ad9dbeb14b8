import { Buffer } from 'node:buffer'

/** Join rows of a run's output, or of a file that it made, in the order of their positions (`at_byte`), up to the first gap. Each has `text`, or `base64` where its bytes are no UTF-8. */
export function joinParts(rows: readonly Readonly<Record<string, unknown>>[]): Buffer {
  const parts = rows
    .map((row) => ({ at: Number(row['at_byte']), bytes: bytesOf(row) }))
    .sort((one, other) => one.at - other.at)
  const joined: Buffer[] = []
  let length = 0
  for (const { at, bytes } of parts) {
    if (at !== length) continue
    joined.push(bytes)
    length += bytes.length
  }
  return Buffer.concat(joined)
}

function bytesOf({ text, base64 }: Readonly<Record<string, unknown>>): Buffer {
  if (typeof text === 'string') return Buffer.from(text, 'utf8')
  return Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64')
}
