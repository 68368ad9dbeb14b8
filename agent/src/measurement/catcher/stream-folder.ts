import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../../disk/whole-file.ts'

/** What a sliver's programs have written, from the first line on; its folder is its catcher's. */
export interface Stream {
  /** The key of how far it has been read. */
  readonly markKey: string
  /** The boot of this host in which it began. */
  readonly bootId: string
}

const bootPath = '/proc/sys/kernel/random/boot_id'

/** The stream in a folder; null when there is none. */
export async function findStream(dir: string): Promise<Stream | null> {
  try {
    const [id = '', bootId = ''] = (await readFile(join(dir, 'stream'), 'utf8')).trim().split(' ')
    return { markKey: `catcher ${id}`, bootId }
  } catch {
    // Never begun.
    return null
  }
}

/** Begin a stream in an empty folder. */
export async function beginStream(dir: string): Promise<Stream> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeWhole(join(dir, 'stream'), `${randomUUID()} ${currentBoot()}\n`)
  const stream = await findStream(dir)
  if (stream === null) throw new RangeError(`${dir}/stream was written and is not there`)
  return stream
}

/** Remove a stream with all that it still has. */
export async function removeStream(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true })
}

/** Tell whether the host has started anew since: then no catcher runs on it, and what was not yet on disk is lost. */
export function isOfAnotherBoot(stream: Stream): boolean {
  return stream.bootId !== currentBoot()
}

function currentBoot(): string {
  return readFileSync(bootPath, 'utf8').trim()
}
