import { nowUs } from '../measurement/sample.ts'
import type { Spool } from '../measurement/measurement.ts'
import { cutOutput, outputName } from './domain/output.ts'
import { endMark, type EndRows } from './end-rows.ts'
import { filesMark, type FileSender } from './file-sender.ts'
import type { RunFolder } from './run-folder.ts'

/** The most bytes of output that are put into the spool at once. */
const stepBytes = 256 * 1024

/** What {@link sendOutput} works with. */
export interface Sending {
  readonly spool: Spool
  readonly ends: EndRows
  readonly files: FileSender
}

/**
 * Put the output of a run into the spool, as far as it is there; when it has ended, the files that it keeps; and then the row of its end. The position is stored together with the rows,
 * so a row is never stored twice. Returns false when the spool has no room now, or the row of the end is not in it.
 */
export async function sendOutput(
  run: RunFolder,
  { spool, ends, files }: Sending,
): Promise<boolean> {
  const { id, sliver, isSent } = run.record
  if (isSent) return true
  // The state is read before the output: what is there after the end is all.
  const hasEnded = run.status().state === 'ended'
  const key = `run ${id}`
  for (;;) {
    const at = positionOf(spool.mark(key))
    const { bytes, isLast } = run.readOutput(at, stepBytes)
    const cut = cutOutput(id, bytes, { atByte: at, isLast: hasEnded && isLast })
    if (cut.rows.length > 0) {
      const timeUs = nowUs()
      const samples = cut.rows.map((fields) => ({
        ...{ time_us: timeUs, source: sliver, name: outputName },
        fields: { ...fields },
      }))
      const marks = { [key]: at + cut.bytesRead }
      if (!spool.append(samples, { marks, whenFull: 'refuse' })) return false
    }
    if (!isLast) continue
    if (!hasEnded) return true
    if (run.status().keeps?.areTaken === false || !files.send(run)) return false
    if (!ends.has(run)) return false
    await spool.sync()
    await run.noteSent(at + cut.bytesRead)
    // The marks go last: without them, the output would be sent a second time.
    spool.append([], { marks: { [key]: null, [filesMark(id)]: null, [endMark(id)]: null } })
    return true
  }
}

function positionOf(mark: unknown): number {
  return typeof mark === 'number' ? mark : 0
}
