import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder, writeWhole } from '@community-lab/contract/host'

/** The lines that a sliver's programs have written since the first one. They are in a folder of the catcher. */
export interface Stream {
  /** The key of the spool's mark with the position up to which the stream was read. */
  readonly markKey: string
  /** The id of the host's boot in which the stream began. */
  readonly bootId: string
}

/** The version of the files of a stream. */
const streamVersion = 1
const bootPath = '/proc/sys/kernel/random/boot_id'

/** Find the stream in a folder; null when there is none, `newer` when a newer agent has begun it and this one cannot read it. */
export async function findStream(dir: string): Promise<Stream | 'newer' | null> {
  try {
    // The file of version 0 contains no version.
    const text = await readFile(join(dir, 'stream'), 'utf8')
    const [id = '', bootId = '', version = '0'] = text.trim().split(' ')
    return Number(version) > streamVersion ? 'newer' : { markKey: `catcher ${id}`, bootId }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Begin a stream. What an interrupted removal has left in its folder is removed. */
export async function beginStream(dir: string): Promise<Stream> {
  await removeStream(dir)
  const id = randomUUID()
  const bootId = currentBoot()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeWhole(join(dir, 'stream'), `${id} ${bootId} ${streamVersion}\n`)
  await syncFolder(dirname(dir))
  return { markKey: `catcher ${id}`, bootId }
}

/** Rename a folder, so that it is not taken for a stream. Returns the new name. */
export async function setAside(dir: string): Promise<string> {
  const keptAt = `${dir}${asideMark}${new Date().toISOString().replaceAll(':', '')}`
  await rename(dir, keptAt)
  return keptAt
}

/** Tell whether a name is that of a folder that was set aside. */
export function isAside(name: string): boolean {
  return name.includes(asideMark)
}

const asideMark = '.unreadable-'

/**
 * Remove a stream with everything that it contains. The file `stream` is removed first, so that an interrupted removal leaves a folder without a stream. If
 * only some segments of a stream were removed, the catcher would count its bytes from 0 again, and the reader would wait for later bytes. Its removal is on the disk when this
 * returns: the mark of the stream goes next, and a power cut that brought the files back then would have their lines read a second time.
 */
export async function removeStream(dir: string): Promise<void> {
  await rm(join(dir, 'stream'), { force: true })
  await rm(dir, { recursive: true, force: true })
  await syncFolder(dirname(dir))
}

/** Tell whether the host was restarted since the stream began. Then no catcher writes it, and bytes that were not on the disk are lost. */
export function isOfAnotherBoot(stream: Stream): boolean {
  return stream.bootId !== currentBoot()
}

/** Return the id of the host's current boot. */
export function currentBoot(): string {
  return readFileSync(bootPath, 'utf8').trim()
}
