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

/** The documents of the loop on the disk. They are written completely or not at all, and survive a power cut. */
export interface LoopStore {
  /**
   * Load the last target. Returns null when none was ever fetched or when it cannot be read: then the server is asked. The ETag is null when another version of
   * the agent has saved it: this version may understand more of the same target, so the server must send it again.
   */
  loadTarget(): Promise<FetchedTarget | null>
  saveTarget(target: FetchedTarget): Promise<void>
  /** Load the last `boot_sn` that the node has acted on; null when there is none. */
  loadBoot(): Promise<Boot | null>
  saveBoot(boot: Boot): Promise<void>
}

const targetSchema = Type.Object({
  etag: Type.Union([Type.String(), Type.Null()]),
  /** The version of the agent that saved it. */
  softVersion: Type.Union([Type.String(), Type.Null()]),
  /** The document from the server. It is read as leniently as an answer of the server, and keeps the parts that only newer agents understand. */
  target: Type.Unknown(),
})
/** The format of `target.json`. */
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
/** The format of `boot.json`. */
const bootFormat: Format<typeof bootSchema> = {
  what: 'how often this node was asked to restart its slivers',
  version: 1,
  readableFrom: 0,
  schema: bootSchema,
  migrations: [(document) => document],
}

/** Open the loop's documents in the agent's data folder. A document that cannot be read is set aside, and reported as a problem of the node. */
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
