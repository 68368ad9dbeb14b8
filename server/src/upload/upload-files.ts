import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '@community-lab/contract/host'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** What is stored of an upload besides its bytes. A change of these members is a new version. */
const Stored = Type.Object({
  version: Type.Literal(1),
  id: Type.String({ pattern: '^[\\w-]{22}$' }),
  target: Type.String(),
  owner: Type.String(),
  lengthBytes: Type.Integer({ minimum: 1 }),
  sha256: Type.Union([Type.String(), Type.Null()]),
  createdMs: Type.Number(),
})
export type StoredUpload = Static<typeof Stored>

/** An upload that was found on disk: how many of its bytes are there, and the time of the last one, in milliseconds since the epoch. */
export interface FoundUpload {
  readonly stored: StoredUpload
  readonly offsetBytes: number
  readonly lastMs: number
}

/** The folder of uploads: each has one of its own, with `upload.json` and `bytes`. */
export interface UploadFiles {
  /** The path of an upload's bytes. */
  bytes(id: string): string
  /** Make the folder of an upload. Without `stored`, the folder is removed when the server starts again. */
  make(id: string, stored: StoredUpload | null): Promise<void>
  remove(id: string): Promise<void>
  /** Find the uploads that an earlier process of the server has left. What cannot be resumed is removed. */
  find(): Promise<readonly FoundUpload[]>
}

/** Open the folder of uploads, which is made when it is not there. */
export async function openUploadFiles(dir: string): Promise<UploadFiles> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const folder = (id: string): string => join(dir, id)
  const bytes = (id: string): string => join(dir, id, 'bytes')
  const description = (id: string): string => join(dir, id, 'upload.json')
  const remove = (id: string): Promise<void> => rm(folder(id), { recursive: true, force: true })

  async function read(id: string): Promise<FoundUpload | null> {
    const stored = await readFile(description(id), 'utf8').then(
      (text): unknown => JSON.parse(text),
      () => null,
    )
    if (!Value.Check(Stored, stored) || stored.id !== id) return null
    const { size, mtimeMs } = await stat(bytes(id)).catch(() => ({
      size: 0,
      mtimeMs: stored.createdMs,
    }))
    return size > stored.lengthBytes ? null : { stored, offsetBytes: size, lastMs: mtimeMs }
  }

  return {
    bytes,
    remove,
    async make(id, stored) {
      await mkdir(folder(id), { mode: 0o700 })
      if (stored !== null) await writeWhole(description(id), JSON.stringify(stored))
    },
    async find() {
      const found: FoundUpload[] = []
      for (const id of await readdir(dir)) {
        const upload = await read(id).catch(() => null)
        if (upload === null) await remove(id)
        else found.push(upload)
      }
      return found
    },
  }
}
