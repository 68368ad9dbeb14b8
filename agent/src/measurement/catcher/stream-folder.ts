import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '@community-lab/contract/host'

/** What a sliver's programs have written, from the first line on; its folder is its catcher's. */
export interface Stream {
  /** The key of how far it has been read. */
  readonly markKey: string
  /** The boot of this host in which it began. */
  readonly bootId: string
}

/** The version of the files in which a catcher keeps a stream. */
const streamVersion = 1
const bootPath = '/proc/sys/kernel/random/boot_id'

/** Find the stream in a folder; null when there is none, `newer` when a newer agent has begun it and this one cannot read it. */
export async function findStream(dir: string): Promise<Stream | 'newer' | null> {
  try {
    // Version 0 has none in its file.
    const text = await readFile(join(dir, 'stream'), 'utf8')
    const [id = '', bootId = '', version = '0'] = text.trim().split(' ')
    return Number(version) > streamVersion ? 'newer' : { markKey: `catcher ${id}`, bootId }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Begin a stream. What a removal that was cut short has left in its folder is removed. */
export async function beginStream(dir: string): Promise<Stream> {
  await removeStream(dir)
  const id = randomUUID()
  const bootId = currentBoot()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeWhole(join(dir, 'stream'), `${id} ${bootId} ${streamVersion}\n`)
  return { markKey: `catcher ${id}`, bootId }
}

/** Give a folder another name, under which nobody looks for a stream. Returns the name. */
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
 * Remove a stream with all that it still has. Its file goes first: a removal that was cut short leaves a folder without a stream. With a stream of which only some
 * segments are left, the catcher would count its bytes from 0 again, and the reader would wait for later ones.
 */
export async function removeStream(dir: string): Promise<void> {
  await rm(join(dir, 'stream'), { force: true })
  await rm(dir, { recursive: true, force: true })
}

/** Tell whether the host has been restarted since the stream began. Then no catcher writes it, and bytes that were not on disk are lost. */
export function isOfAnotherBoot(stream: Stream): boolean {
  return stream.bootId !== currentBoot()
}

/** The boot of this host that is now. */
export function currentBoot(): string {
  return readFileSync(bootPath, 'utf8').trim()
}
