import { join } from 'node:path'
import Type from 'typebox'
import { peekDocument, writeDocument } from '../disk/document.ts'
import type { Format } from '../disk/domain/format.ts'
import { watchFolder } from '../measurement/catcher/watch-folder.ts'
import { ownerStates, type KnownOwnerSetting, type OwnerSetting } from '../plan/owner.ts'

/** The longest reason of an owner, in characters. */
export const longestReason = 200

const fileName = 'owner.json'
/** The time after which a file that could not be read is tried again, in milliseconds. */
const againMs = 5_000
const schema = Type.Object({
  state: Type.Enum(ownerStates),
  reason: Type.Union([Type.String({ maxLength: longestReason }), Type.Null()]),
  by: Type.String({ maxLength: 64 }),
  since: Type.String({ maxLength: 40 }),
})
/** The format of `owner.json`. */
const format: Format<typeof schema> = {
  what: 'what the owner of this node has set',
  version: 1,
  readableFrom: 1,
  schema,
  migrations: [(document) => document],
}

/** Read what the owner has set, in the agent's data folder. A file that cannot be read stays where it is. */
export async function readOwner(dataDir: string): Promise<KnownOwnerSetting> {
  const found = await peekDocument(join(dataDir, fileName), format)
  if (found.kind === 'absent') return null
  if (found.kind === 'read') return found.value
  return { state: 'unreadable', reason: found.reason, isDamaged: found.isDamaged }
}

/** Keep what the owner has set. A running agent notices it at once. */
export async function writeOwner(dataDir: string, setting: OwnerSetting): Promise<void> {
  await writeDocument(join(dataDir, fileName), format, setting)
}

/** The owner's present setting. */
export interface OwnerWatch {
  readonly setting: KnownOwnerSetting
  /** Call back when it has changed. One listener is enough. */
  onChange(listener: () => void): void
  close(): void
}

/** Follow what the owner sets in the agent's data folder, until it is closed. */
export async function watchOwner(dataDir: string): Promise<OwnerWatch> {
  let setting = await readOwner(dataDir)
  let listener = (): void => undefined
  let reading = Promise.resolve()
  const look = (): void => {
    reading = reading.then(async () => {
      const next = await readOwner(dataDir)
      if (next?.state === 'unreadable' && !next.isDamaged) {
        // What was known counts until the file can be read again.
        setTimeout(look, againMs).unref()
        return
      }
      if (JSON.stringify(next) === JSON.stringify(setting)) return
      setting = next
      listener()
    })
  }
  const watch = watchFolder(dataDir, (name) => {
    if (name === null || name === fileName) look()
  })
  // It may have changed before the folder was watched.
  look()
  return {
    get setting() {
      return setting
    },
    onChange(next) {
      listener = next
    },
    close: () => watch.close(),
  }
}
