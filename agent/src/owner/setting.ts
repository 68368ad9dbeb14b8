import { join } from 'node:path'
import Type from 'typebox'
import { writeWhole } from '@community-lab/contract/host'
import { peekDocument } from '../disk/document.ts'
import { formatDocument, type Format } from '../disk/domain/format.ts'
import { watchFolder } from '../measurement/catcher/watch-folder.ts'
import { ownerStates, type KnownOwnerSetting, type OwnerSetting } from '../plan/owner.ts'

/** The longest reason of an owner, in characters. */
export const longestReason = 200

const fileName = 'owner.json'
/** The time after which a file that could not be read is tried again, in milliseconds. */
const againMs = 2_000
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

/** Keep what the owner has set. A running agent notices it at once, also when it runs as another user than the owner's command. */
export async function writeOwner(dataDir: string, setting: OwnerSetting): Promise<void> {
  await writeWhole(join(dataDir, fileName), formatDocument(format, setting), 0o644)
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
  let failures = 0
  const look = (): void => {
    reading = reading.then(async () => {
      const next = await readOwner(dataDir)
      const hasFailed = next?.state === 'unreadable' && !next.isDamaged
      failures = hasFailed ? failures + 1 : 0
      if (hasFailed) setTimeout(look, againMs).unref()
      // What was known counts once more, because the cause may pass, such as too many open files.
      if (failures === 1) return
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
