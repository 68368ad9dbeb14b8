import type { LiveDisplay } from '../display/bundle.ts'
import { currentDisplay } from '../display/current.ts'
import type { RunPart } from './end.ts'
import { describeProblems, nameSilent, type Outcomes } from './outcome.ts'
import type { Silences } from './silence.ts'

/** Show what a run still waits for, from the first check of the nodes on. Most runs have ended before it, and show nothing. */
export function createProgress(run: string, parts: readonly RunPart[]) {
  let display: LiveDisplay | null = null
  let last = ''
  const tell = (waiting: readonly RunPart[], silences: Silences): void => {
    const names = waiting.map(({ sliver: { id, node } }) => {
      return nameSilent(node, silences.get(id)?.reason)
    })
    const ended = `${parts.length - waiting.length} of ${parts.length} have ended`
    const text = `run ${run}: ${ended}${names.length === 0 ? '' : `; waiting for ${names.join(', ')}`}`
    if (text === last) return
    last = text
    display ??= currentDisplay().newDisplay()
    display.update({ 'text/plain': text })
  }
  return {
    tell,
    end(waiting: readonly RunPart[], silences: Silences) {
      if (display !== null) tell(waiting, silences)
    },
  }
}

/** Show problems of a run below the cell. Lost lines are not visible in the rows, and few users check the outcomes. */
export function showProblems(run: string, outcomes: Outcomes): void {
  const problems = outcomes.flatMap(describeProblems)
  if (problems.length === 0) return
  currentDisplay().display({ 'text/plain': `run ${run}: ${problems.join('; ')}` })
}
