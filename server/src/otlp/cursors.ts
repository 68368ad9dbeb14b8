import { readFile } from 'node:fs/promises'
import {
  firstWriter,
  formatRowCursor,
  maybeRowCursor,
  type RowCursor,
  rowCursorPattern,
} from '@community-lab/contract'
import { writeWhole } from '@community-lab/contract/host'
import Type from 'typebox'
import { Value } from 'typebox/value'

/** The version of the file of cursors. */
const version = 2

/** How far each measurement (`<scope>/<name>`) was sent: the cursor after the last row that the collector has. */
const File = Type.Object({
  version: Type.Literal(version),
  sent: Type.Record(Type.String(), Type.String({ pattern: rowCursorPattern })),
})
/** Version 1: the number (`landed`) of the last row. */
const FirstFile = Type.Object({
  version: Type.Literal(1),
  sent: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
})

/** What was sent, as it is on disk. */
export interface Cursors {
  /** What was sent; null: nothing of this measurement. */
  get(key: string): RowCursor | null
  set(key: string, sent: RowCursor): void
  save(): Promise<void>
}

/** Read the cursors from a file. One that does not exist, or cannot be read, has none. */
export async function openCursors(path: string): Promise<Cursors> {
  const sent = new Map(await readSent(path))
  return {
    get: (key) => maybeRowCursor(sent.get(key) ?? ''),
    set: (key, cursor) => void sent.set(key, formatRowCursor(cursor)),
    save: () => writeWhole(path, JSON.stringify({ version, sent: Object.fromEntries(sent) })),
  }
}

async function readSent(path: string): Promise<readonly (readonly [string, string])[]> {
  try {
    const read: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (Value.Check(FirstFile, read))
      return Object.entries(read.sent).map(([key, landed]) => [
        key,
        formatRowCursor(new Map([[firstWriter, landed]])),
      ])
    return Value.Check(File, read) ? Object.entries(read.sent) : []
  } catch {
    // The first start, or a damaged file: rows from now on are sent.
    return []
  }
}
