import type { Context } from '../context.ts'
import { ProgressLine } from '../output/progress-line.ts'
import { describeStep, type Progress } from './progress.ts'

/** Prints a testbed's progress: text for people, JSON with `--json`. */
export interface Teller {
  /** Print progress. `line` is the program's own line, which is printed with `--json`. Errors are not printed, because the caller throws them. */
  tell(progress: Progress, line: string): void
  /** Erase the line of the current work. */
  end(): void
}

/** Create the printer of one command. */
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
