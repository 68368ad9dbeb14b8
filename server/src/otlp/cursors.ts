import { readFile } from 'node:fs/promises'
import { writeWhole } from '@community-lab/contract/host'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The version of the file of cursors. */
const version = 1

/** How far each measurement (`<scope>/<name>`) was sent: the number (`landed`) of its last row that the collector has. */
const File = Type.Object({
  version: Type.Literal(version),
  sent: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
})

/** What was sent, as it is on disk. */
export interface Cursors {
  /** The last row that was sent; null: none of this measurement. */
  get(key: string): number | null
  set(key: string, landed: number): void
  save(): Promise<void>
}

/** Read the cursors from a file. One that does not exist, or cannot be read, has none. */
export async function openCursors(path: string): Promise<Cursors> {
  const sent = new Map(Object.entries(await readSent(path)))
  return {
    get: (key) => sent.get(key) ?? null,
    set: (key, landed) => void sent.set(key, landed),
    save: () => writeWhole(path, JSON.stringify({ version, sent: Object.fromEntries(sent) })),
  }
}

async function readSent(path: string): Promise<Static<typeof File>['sent']> {
  try {
    const read: unknown = JSON.parse(await readFile(path, 'utf8'))
    return Value.Check(File, read) ? read.sent : {}
  } catch {
    // The first start, or a damaged file: rows from now on are sent.
    return {}
  }
}
