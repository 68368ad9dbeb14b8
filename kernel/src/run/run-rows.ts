import { LabError } from '@community-lab/contract'
import { currentDisplay } from '../display/current.ts'
import type { Session } from '../session.ts'
import { anySignal } from '../wait/signal.ts'
import { describeParts, findCutOff } from './outcome.ts'
import { readPresentRows, readRows } from './row-stream.ts'
import type { RunState } from './run-state.ts'
import type { Row } from './value.ts'

/**
 * Read the rows of one measurement of a run as they land, and end when it has ended on all slivers.
 *
 * @throws {@link LabError} LAB_RUN_CUT_OFF after all rows that have landed; the signal's reason.
 */
export async function* readRunRows(
  session: Session,
  state: RunState,
  { name, signal: caller }: { readonly name: string; readonly signal: AbortSignal },
): AsyncGenerator<Row, void, undefined> {
  tellOtherName(state, name)
  const ended = new AbortController()
  const signal = anySignal(caller, ended.signal)
  const selection = { scope: state.scope, name, run: state.id, signal }
  const end = state.waitUntilLanded(signal).finally(() => ended.abort())
  // A failure is thrown below.
  end.catch(() => undefined)
  let last = '0'
  try {
    for await (const { rows, cursor } of readRows(session, selection)) {
      last = cursor
      yield* rows
    }
  } catch (error) {
    if (caller.aborted || !ended.signal.aborted) throw error
  } finally {
    ended.abort()
  }
  // The end may have arrived before the last rows.
  const rest = { ...selection, after: last, signal: caller }
  for await (const { rows } of readPresentRows(session, rest)) yield* rows
  await end
  const where = findCutOff(describeParts(state.known()))
  if (where.length > 0) throw new LabError('LAB_RUN_CUT_OFF', { run: state.object.name, where })
}

/** Say that a run with points does not declare a measurement: nothing may ever come. Its programs may write it nevertheless. */
function tellOtherName({ object: { name: run, points = [] } }: RunState, name: string): void {
  const names = points.map((point) => point.name)
  if (names.length === 0 || names.includes(name)) return
  const near = names.find((each) => isNear(each, name))
  const known = near === undefined ? `it has ${names.join(', ')}.` : `did you mean ${near}?`
  currentDisplay().display({
    'text/plain': `run ${run}: no point ${name} is declared; ${known} Its rows are waited for, in case a program writes them`,
  })
}

/** Tell whether two names differ by little: one is the beginning of the other, or one letter is another one, is missing, or is too many. */
export function isNear(one: string, other: string): boolean {
  const [short, long] = one.length <= other.length ? [one, other] : [other, one]
  if (long.startsWith(short)) return true
  if (long.length - short.length > 1) return false
  let at = 0
  while (at < short.length && short[at] === long[at]) at++
  const skipped = short.length === long.length ? at + 1 : at
  return short.slice(skipped) === long.slice(at + 1)
}
