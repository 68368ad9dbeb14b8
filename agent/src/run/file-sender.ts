import { filePartsOf, runFileMeasurement, runFilePartMeasurement } from '@community-lab/contract'
import type { Spool } from '../measurement/measurement.ts'
import { nowUs, type Sample } from '../measurement/sample.ts'
import { cutOutput } from './domain/output.ts'
import type { RunFolder } from './run-folder.ts'

/** The most bytes of files that are in the spool at once: samples that come later do not wait long behind them, and find room. */
const stepBytes = 512 * 1024

/** Sends the files of runs, beside everything else that the node sends. */
export interface FileSender {
  /** Put more of the files of a run into the spool, if it is their turn. Returns whether all of them are in it. */
  send(run: RunFolder): boolean
}

/** How far the files of a run are in the spool: those before this one, and the first bytes of it. */
interface Position {
  readonly file: number
  readonly atByte: number
}

/** Make a {@link FileSender}. The position is stored together with the rows, so a row is never stored twice. */
export function createFileSender(spool: Spool): FileSender {
  /** What was appended last, and the bytes of files that are in the spool since the server had all. */
  let last = { spool: spool.id, seq: 0, bytes: 0 }
  return {
    send(run) {
      const { id, sliver } = run.record
      const { files } = run.kept ?? { files: [] }
      for (;;) {
        const at = positionOf(spool.mark(filesMark(id)))
        const file = files[at.file]
        if (file === undefined) return true
        if (last.spool !== spool.id || last.seq < spool.firstSeq) last = { ...last, bytes: 0 }
        if (last.bytes >= stepBytes) return false
        const own = filePartsOf(id, sliver, at.file)
        const bytes =
          file.sha256 === null ? Buffer.alloc(0) : run.readKept(at.file, at.atByte, stepBytes)
        const end = at.atByte + bytes.length
        const isWhole = file.sha256 === null || end >= (file.bytes ?? 0)
        const { rows, bytesRead } = cutOutput(own, bytes, { atByte: at.atByte, isLast: isWhole })
        const sample = { time_us: nowUs(), source: sliver }
        const samples: Sample[] = rows.map((fields) => ({
          ...{ ...sample, name: runFilePartMeasurement },
          fields: { ...fields },
        }))
        if (isWhole) {
          const known = Object.entries(file).filter((entry) => entry[1] !== null)
          const fields = { run: id, file: at.file, ...Object.fromEntries(known) }
          samples.push({ ...sample, name: runFileMeasurement, fields })
        } else if (bytesRead === 0) throw new Error(`${run.dir}/kept/${at.file} is cut off`)
        const next = isWhole
          ? { file: at.file + 1, atByte: 0 }
          : { file: at.file, atByte: at.atByte + bytesRead }
        const marks = { [filesMark(id)]: next }
        if (!spool.append(samples, { marks, whenFull: 'refuse' })) return false
        last = { spool: spool.id, seq: spool.lastSeq, bytes: last.bytes + bytesRead }
      }
    },
  }
}

/** The key of the mark that says how far the files of a run are in the spool. */
export function filesMark(run: string): string {
  return `files of run ${run}`
}

function positionOf(mark: unknown): Position {
  if (typeof mark !== 'object' || mark === null || !('file' in mark) || !('atByte' in mark))
    return { file: 0, atByte: 0 }
  const { file, atByte } = mark
  return typeof file === 'number' && typeof atByte === 'number'
    ? { file, atByte }
    : { file: 0, atByte: 0 }
}
