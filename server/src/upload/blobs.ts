import { link, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createQueue } from '@community-lab/contract'
import { syncFolder } from '@community-lab/contract/host'

/** Options of {@link createBlobs}. */
export interface BlobsOptions {
  /** The folder, for these files alone. It exists. */
  readonly dir: string
  /** What follows the SHA-256 in the names of the files, such as `.tar.gz`. */
  readonly extension: string
  /** Read the SHA-256 of the files that the database names. */
  readonly readUsed: () => Promise<ReadonlySet<string>>
}

/** Files that are stored under their SHA-256, each once. The database says which of them are used. */
export interface Blobs {
  /** The path of a file. */
  path(sha256: string): string
  /**
   * Store a file, also across a power failure, and then call `use`, which writes into the database that it is used. The file stays where it was, too. When `use` fails,
   * nothing is stored.
   */
  keep<T>(file: string, sha256: string, use: () => Promise<T>): Promise<T>
  /** Remove the files that nothing uses. A download that is under way can still end. */
  removeUnused(): Promise<void>
  /** Remove what an earlier version of the server was receiving when it ended. Later versions receive elsewhere. */
  removeLeftovers(): Promise<void>
}

/** How earlier versions named the folders of what they were receiving. */
const leftover = /^incoming-\w{6}$/u

/** Keep files by their content in a folder. */
export function createBlobs({ dir, extension, readUsed }: BlobsOptions): Blobs {
  // One after another, so that a new file is not removed as unused before the database names it.
  const inTurn = createQueue()
  const path = (sha256: string): string => join(dir, sha256 + extension)
  const isBlob = (name: string): boolean =>
    /^[0-9a-f]{64}$/u.test(name.slice(0, 64)) && name.slice(64) === extension

  async function removeUnused(): Promise<void> {
    const used = await readUsed()
    for (const name of await readdir(dir))
      if (isBlob(name) && !used.has(name.slice(0, 64))) await rm(join(dir, name), { force: true })
  }

  return {
    path,
    keep: (file, sha256, use) =>
      inTurn(async () => {
        await link(file, path(sha256)).catch((error: unknown) => {
          // Something else has the same content.
          if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
        })
        await syncFolder(dir)
        try {
          return await use()
        } catch (error) {
          await removeUnused()
          throw error
        }
      }),
    removeUnused: () => inTurn(removeUnused),
    async removeLeftovers() {
      for (const name of await readdir(dir))
        if (leftover.test(name)) await rm(join(dir, name), { recursive: true, force: true })
    },
  }
}
