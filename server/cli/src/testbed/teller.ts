import type { Context } from '../context.ts'
import { ProgressLine } from '../output/progress-line.ts'
import { describeStep, type Progress } from './progress.ts'

/** Tells people, or with `--json` programs, of a testbed's progress. */
export interface Teller {
  /** `line` is what the testbed's program printed. An error is not told: it is thrown, and told where all others are. */
  tell(progress: Progress, line: string): void
  /** Take away what is going on. */
  end(): void
}

/** Make what tells of one command's progress. */
export function createTeller(context: Context, { json }: { readonly json?: boolean }): Teller {
  const shown = new ProgressLine(context.err)
  return {
    tell(progress, line) {
      if (progress.kind === 'error') return
      if (json === true) context.out.write(`${line}\n`)
      else if (progress.kind === 'step') {
        const text = describeStep(progress.step)
        if (['done', 'failed'].includes(progress.step.state)) shown.note(text)
        else shown.show(text)
      }
    },
    end: () => shown.clear(),
  }
}
