import { LabError } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'
import { addressOf, askerOf } from '../http/asker.ts'
import type { ParquetFile } from './parquet-file.ts'

/**
 * The most files that are written, wait for it, or are being downloaded at a time: of one token, of one address without a token, and of all clients without
 * a token. A notebook that fetches everything requests a few files at once.
 */
const limits = { token: 8, address: 2, anonymous: 8 } as const

/** Limits the files that are made for readers. */
export interface FileLimit {
  /**
   * Make a file for the reader of a request. It counts until its stream is closed. The signal is aborted when the reader disconnects.
   *
   * @throws {@link LabError} LAB_TELEMETRY_BUSY when the reader has too many already.
   */
  open(
    request: FastifyRequest,
    make: (signal: AbortSignal) => Promise<ParquetFile | null>,
  ): Promise<ParquetFile | null>
}

/** Create the limit. */
export function createFileLimit(): FileLimit {
  const counts = new Map<string, number>()

  function enter(request: FastifyRequest): () => void {
    const bounds = boundsOf(request)
    for (const [key, limit] of bounds) {
      const files = counts.get(key) ?? 0
      if (files >= limit) throw new LabError('LAB_TELEMETRY_BUSY', { files })
    }
    for (const [key] of bounds) counts.set(key, (counts.get(key) ?? 0) + 1)
    return () => {
      for (const [key] of bounds) {
        const left = (counts.get(key) ?? 1) - 1
        if (left === 0) counts.delete(key)
        else counts.set(key, left)
      }
    }
  }

  return {
    async open(request, make) {
      const leave = enter(request)
      const gone = new AbortController()
      const giveUp = (): void => gone.abort()
      const { socket } = request.raw
      socket.once('close', giveUp)
      let file: ParquetFile | null = null
      try {
        file = await make(gone.signal)
        file?.stream.once('close', leave)
        return file
      } finally {
        socket.off('close', giveUp)
        if (file === null) leave()
      }
    },
  }
}

/** Return the counters for a request's files, with their limits. The Unix socket counts as one address for the whole machine. */
function boundsOf(request: FastifyRequest): readonly (readonly [string, number])[] {
  const asker = askerOf(request)
  if (request.principal.tokenId !== null) return [[asker, limits.token]]
  const limit = addressOf(request) === null ? limits.anonymous : limits.address
  return [
    [asker, limit],
    ['anonymous', limits.anonymous],
  ]
}
