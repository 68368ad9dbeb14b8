import type { LiveDisplay } from '../display/bundle.ts'
import { currentDisplay } from '../display/current.ts'
import {
  describeExits,
  describeProblems,
  describeRemoved,
  nameSilent,
  type Outcomes,
} from './outcome.ts'

/** Show what a run still waits for, from the first look at the nodes on. Most runs have ended before it, and show nothing. */
export function createProgress(run: string) {
  let display: LiveDisplay | null = null
  let last = ''
  const tell = (outcomes: Outcomes): void => {
    const waiting = outcomes.filter(({ isComplete }) => !isComplete)
    const names = waiting.map(({ node, silence }) => nameSilent(node, silence))
    const ended = `${outcomes.length - waiting.length} of ${outcomes.length} have ended`
    const text = `run ${run}: ${ended}${names.length === 0 ? '' : `; waiting for ${names.join(', ')}`}`
    if (text === last) return
    last = text
    display ??= currentDisplay().newDisplay()
    display.update({ 'text/plain': text })
  }
  return {
    tell,
    end(outcomes: Outcomes) {
      if (display !== null) tell(outcomes)
    },
  }
}

/** Show problems of a run below the cell. Lost lines are not visible in the rows, and few users check the outcomes. */
export function showProblems(run: string, outcomes: Outcomes): void {
  const problems = [
    ...outcomes.flatMap(describeProblems),
    ...describeExits(outcomes),
    ...describeRemoved(outcomes.removed),
  ]
  if (problems.length === 0) return
  currentDisplay().display({ 'text/plain': `run ${run}: ${problems.join('; ')}` })
}
