import type { TextSink } from '../context.ts'
import { ProgressLine } from './progress-line.ts'

/** Shows how far the transfer of a file is. */
export interface Transfer extends Disposable {
  /** Show how much is transferred, in bytes, and what keeps it from going on; null: nothing. */
  show(doneBytes: number, trouble: Error | null): void
}

const mib = 1024 ** 2
/** A terminal is not redrawn more often, in milliseconds. */
const redrawMs = 200

/** Show the transfer of a file at a terminal. `what` describes it, such as `uploading own.tar.gz`. */
export function showTransfer(
  sink: TextSink,
  { what, sizeBytes }: { readonly what: string; readonly sizeBytes: number },
): Transfer {
  const line = new ProgressLine(sink)
  let first: { readonly atMs: number; readonly bytes: number } | null = null
  let drawnMs = -Infinity
  return {
    show(doneBytes, trouble) {
      const nowMs = performance.now()
      first ??= { atMs: nowMs, bytes: doneBytes }
      if (trouble !== null) {
        line.show(`${what}: ${describe(doneBytes, sizeBytes)}; trying again: ${trouble.message}`)
        drawnMs = nowMs
        return
      }
      if (nowMs - drawnMs < redrawMs) return
      drawnMs = nowMs
      const bytesPerS = ((doneBytes - first.bytes) / (nowMs - first.atMs)) * 1000
      const left = bytesPerS > 0 ? `, ${Math.ceil((sizeBytes - doneBytes) / bytesPerS)} s left` : ''
      line.show(`${what}: ${describe(doneBytes, sizeBytes)}${left}`)
    },
    [Symbol.dispose]: () => line.clear(),
  }
}

function describe(doneBytes: number, sizeBytes: number): string {
  const percent = Math.floor((100 * doneBytes) / sizeBytes)
  return `${(doneBytes / mib).toFixed(1)} of ${(sizeBytes / mib).toFixed(1)} MiB (${percent} %)`
}
