import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeTarget } from '@community-lab/contract'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { writeWhole } from '../mgmt/whole-file.ts'
import { neverRebooted, type Boot } from '../plan/boot.ts'

const KnownTarget = Type.Object({
  etag: Type.Union([Type.String(), Type.Null()]),
  target: NodeTarget,
})
const KnownBoot = Type.Object({
  bootSn: Type.Integer({ minimum: 0 }),
  lives: Type.Record(Type.String(), Type.String()),
})

/** What was last wanted of this node, and its ETag. */
export type KnownTarget = Static<typeof KnownTarget>

/** What the loop keeps on disk: written whole, and surviving a power cut. */
export interface LoopStore {
  /** Null when nothing was ever fetched, or what was kept cannot be read: then the server is asked. */
  loadTarget(): Promise<KnownTarget | null>
  saveTarget(known: KnownTarget): Promise<void>
  /** How far the node has acted upon its boot_sn; a file that cannot be read (no write of ours leaves one) counts as never. */
  loadBoot(): Promise<Boot>
  saveBoot(boot: Boot): Promise<void>
}

/** Keep the loop's store in the agent's data folder. */
export async function openLoopStore(dataDir: string): Promise<LoopStore> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const targetFile = join(dataDir, 'target.json')
  const bootFile = join(dataDir, 'boot.json')
  let written: Promise<void> = Promise.resolve()

  /** One write at a time: a folder's half-written file has one name. */
  function write(file: string, value: unknown): Promise<void> {
    const writing = written.then(() => writeWhole(file, JSON.stringify(value)))
    // The caller sees its own failure; the next write is tried all the same.
    written = writing.catch(() => undefined)
    return writing
  }

  return {
    async loadTarget() {
      const read = await readDocument(targetFile, KnownTarget)
      return typeof read === 'string' ? null : read
    },
    saveTarget: (known) => write(targetFile, known),
    async loadBoot() {
      const read = await readDocument(bootFile, KnownBoot)
      return typeof read === 'string' ? neverRebooted : read
    },
    saveBoot: (boot) => write(bootFile, boot),
  }
}

async function readDocument<S extends TSchema>(
  file: string,
  schema: S,
): Promise<Static<S> | 'absent' | 'damaged'> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'absent'
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(schema, value) ? value : 'damaged'
  } catch {
    // Not JSON.
    return 'damaged'
  }
}
