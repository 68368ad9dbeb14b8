import { createWriteStream } from 'node:fs'
import { Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LabError } from '@community-lab/contract'

/** Bytes on their way into a file that is not there yet. */
export interface ReceivedFile {
  /** Where they are written to. */
  readonly input: Writable
  /** How many they were, once all are in the file. Rejects with LAB_DOWNLOAD_FAILED when they are more than the file may have. */
  readonly done: Promise<number>
}

/** Write a file as its bytes come, whose number nobody knows before: files of /proc tell that they have none. `what` names it in errors. */
export function receiveFile(what: string, file: string, maxBytes: number): ReceivedFile {
  let bytes = 0
  const input = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length
      const reason = `it has more than ${maxBytes} bytes; give maxBytes to take more`
      if (bytes > maxBytes) next(new LabError('LAB_DOWNLOAD_FAILED', { what, reason }))
      else next(null, chunk)
    },
  })
  const done = pipeline(input, createWriteStream(file, { flags: 'wx' })).then(() => bytes)
  return { input, done }
}
