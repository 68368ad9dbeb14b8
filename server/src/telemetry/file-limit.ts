import { LabError } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'

/** The most files that one token, or one address without a token, may have written at a time: two notebooks that fetch everything. */
const maxFilesOfOne = 8

/** Bounds the files that are written for one reader. */
export interface FileLimit {
  /**
   * Do what makes a file; the signal is aborted when the client goes.
   *
   * @throws {@link LabError} LAB_TELEMETRY_BUSY when the reader has too many already.
   */
  open<T>(request: FastifyRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

/** Make the limit. */
export function createFileLimit(): FileLimit {
  const counts = new Map<string, number>()
  return {
    async open({ principal, ip, raw }, work) {
      const reader = principal.tokenId === null ? `address ${ip}` : `token ${principal.tokenId}`
      const count = counts.get(reader) ?? 0
      if (count >= maxFilesOfOne) throw new LabError('LAB_TELEMETRY_BUSY', { files: count })
      counts.set(reader, count + 1)
      const gone = new AbortController()
      const leave = (): void => gone.abort()
      raw.socket.once('close', leave)
      try {
        return await work(gone.signal)
      } finally {
        raw.socket.off('close', leave)
        const left = (counts.get(reader) ?? 1) - 1
        if (left === 0) counts.delete(reader)
        else counts.set(reader, left)
      }
    },
  }
}
