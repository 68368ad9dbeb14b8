import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import Type, { type Static, type TObject } from 'typebox'
import type { Format } from '../disk/domain/format.ts'
import { readDocument, writeDocument } from '../disk/document.ts'
import type { Boot } from '../plan/boot.ts'
import { readWanted } from '../plan/wanted.ts'
import type { NodeProblems } from '../report/problems.ts'
import { createSerial } from '../serial.ts'
import type { FetchedTarget } from '../server/client.ts'
import { version as softVersion } from '../version.ts'

/** What the loop keeps on disk: written whole, and surviving a power cut. */
export interface LoopStore {
  /**
   * What was last wanted. Null when nothing was ever fetched, or when what was kept cannot be read: then the server is asked. Its ETag is null when another
   * version of the agent has kept it: this one may understand more of the same target, so the server must send it again.
   */
  loadTarget(): Promise<FetchedTarget | null>
  saveTarget(target: FetchedTarget): Promise<void>
  /** How far the node has acted upon its boot_sn; null when nothing tells. */
  loadBoot(): Promise<Boot | null>
  saveBoot(boot: Boot): Promise<void>
}

const targetSchema = Type.Object({
  etag: Type.Union([Type.String(), Type.Null()]),
  /** The version of the agent that kept it. */
  softVersion: Type.Union([Type.String(), Type.Null()]),
  /** As the server sent it. It is read as leniently as what the server sends, and nothing that a newer agent understands is lost from it. */
  target: Type.Unknown(),
})
/** The form of `target.json`. */
const targetFormat: Format<typeof targetSchema> = {
  what: 'what was last wanted of this node',
  version: 1,
  readableFrom: 0,
  schema: targetSchema,
  migrations: [(document) => ({ ...document, softVersion: null })],
}

const bootSchema = Type.Object({
  bootSn: Type.Integer({ minimum: 0 }),
  lives: Type.Record(Type.String(), Type.String()),
})
/** The form of `boot.json`. */
const bootFormat: Format<typeof bootSchema> = {
  what: 'how often this node was told to restart its slivers',
  version: 1,
  readableFrom: 0,
  schema: bootSchema,
  migrations: [(document) => document],
}

/** Keep the loop's documents in the agent's data folder. One that cannot be read is set aside, and told as a problem of the node. */
export async function openLoopStore(dataDir: string, problems: NodeProblems): Promise<LoopStore> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const targetFile = join(dataDir, 'target.json')
  const bootFile = join(dataDir, 'boot.json')
  const serial = createSerial()

  async function load<S extends TObject>(
    file: string,
    format: Format<S>,
  ): Promise<Static<S> | null> {
    const found = await readDocument(file, format)
    if (found.kind === 'unreadable') noteUnreadable(file, { what: format.what, ...found })
    return found.kind === 'read' ? found.value : null
  }

  function noteUnreadable(
    file: string,
    details: { readonly what: string; readonly keptAt: string; readonly reason: string },
  ): void {
    const { what, keptAt, reason } = details
    const { message } = new LabError('LAB_AGENT_DOCUMENT_UNREADABLE', { what, keptAt, reason })
    problems.set(file, { member: '', message })
  }

  return {
    async loadTarget() {
      const found = await load(targetFile, targetFormat)
      if (found === null) return null
      const wanted = readWanted(found.target)
      if (typeof wanted === 'string') {
        noteUnreadable(targetFile, { what: targetFormat.what, keptAt: targetFile, reason: wanted })
        return null
      }
      const etag = found.softVersion === softVersion ? found.etag : null
      return { etag, document: found.target, wanted }
    },
    saveTarget: ({ etag, document: target }) =>
      serial.run(targetFile, () =>
        writeDocument(targetFile, targetFormat, { etag, softVersion, target }),
      ),
    loadBoot: () => load(bootFile, bootFormat),
    saveBoot: (boot) => serial.run(bootFile, () => writeDocument(bootFile, bootFormat, boot)),
  }
}
