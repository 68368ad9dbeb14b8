import { runEndMeasurement } from '@community-lab/contract'
import type { SliverStreams, Spool } from '../measurement/measurement.ts'
import { nowUs } from '../measurement/sample.ts'
import type { RunFolder } from './run-folder.ts'

/** The rows that follow the last samples of runs. */
export interface EndRows {
  /** Tell whether the row of a run that has ended is in the spool, or it has none. Otherwise begin to append it, unless that goes on already. */
  has(run: RunFolder): boolean
}

/** Options of {@link createEndRows}. */
export interface EndRowsOptions {
  readonly spool: Pick<Spool, 'mark'>
  readonly appendAfter: SliverStreams['appendAfter']
  /** Called when a row is in the spool. */
  readonly onAppended: () => void
  readonly onProblem: (run: string, error: unknown) => void
}

/**
 * Append the rows of ends. Each waits, beside the other work, until the spool has all that its sliver had written when the run ended: nothing else tells that no sample
 * of it follows. Its mark is stored together with it, so no run has two.
 */
export function createEndRows(options: EndRowsOptions): EndRows {
  const { spool, appendAfter, onAppended, onProblem } = options
  const going = new Set<string>()
  return {
    has(run) {
      const { id, sliver } = run.record
      const fields = run.endRow()
      const key = endMark(id)
      if (fields === null || spool.mark(key) !== undefined) return true
      if (going.has(id)) return false
      going.add(id)
      const sample = { time_us: nowUs(), source: sliver, name: runEndMeasurement, fields }
      void appendAfter(sample, { [key]: true })
        .then(
          (taken) => taken,
          (error: unknown) => {
            onProblem(id, error)
            return false
          },
        )
        .then((taken) => {
          going.delete(id)
          if (taken) onAppended()
        })
      return false
    },
  }
}

/** The key of the mark that the row of a run's end has. */
export function endMark(run: string): string {
  return `end of run ${run}`
}
