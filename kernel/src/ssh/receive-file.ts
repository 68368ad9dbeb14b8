import { createWriteStream } from 'node:fs'
import { Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LabError } from '@community-lab/contract'

/** A file that is being received and appears when it is complete. */
export interface ReceivedFile {
  /** The stream to which its bytes are written. */
  readonly input: Writable
  /** Resolves with the number of bytes when all are in the file. Rejects with LAB_DOWNLOAD_FAILED when there are too many. */
  readonly done: Promise<number>
}

/** Write a file while its bytes arrive. Their number is not known in advance, because files of /proc report a size of 0. `what` names it in errors. */
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
