import type { SliverState } from '@community-lab/contract'
import { expect, it } from 'vitest'
import {
  describeFailures,
  failuresUntilNotReady,
  noteOutcomes,
  noteProbe,
  readyNode,
  wantsProbe,
  type Outcome,
  type Readiness,
} from '../../../../server/src/domain/readiness.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 4, 4, 12, minute))
const outcome = (id: number, state: SliverState, before: SliverState = 'allocated'): Outcome => ({
  slice_id: id,
  slice: `s${id}`,
  group_id: 1,
  is_public: true,
  state,
  before,
  message: 'no',
})
/** The readiness after outcomes, one a minute. */
const after = (...outcomes: readonly Outcome[]): Readiness =>
  outcomes.reduce((last, one, minute) => noteOutcomes(last, [one], at(minute)), readyNode)

it('a node is not ready from the third slice in a row on whose sliver fails', () => {
  const two = after(outcome(1, 'fail_deploy'), outcome(2, 'fail_start'))
  expect(two.since).toBeNull()
  const three = noteOutcomes(two, [outcome(3, 'fail_allocate')], at(2))
  expect(three.since).toBe(at(2).toISOString())
  expect(describeFailures(three)).toBe(
    'the slivers of 3 slices in a row failed on it: s1 (fail_deploy: no); s2 (fail_start: no); s3 (fail_allocate: no)',
  )
  // Since then it counts, however many more fail, and the latest are told.
  const more = noteOutcomes(three, [outcome(4, 'fail_deploy')], at(3))
  expect([more.since, more.failures.length]).toEqual([three.since, failuresUntilNotReady])
  expect(more.failures.map(({ slice }) => slice)).toEqual(['s2', 's3', 's4'])
})

it('slices of one group with templates of its own say nothing about the node until one of another group fails', () => {
  const own = [1, 2, 3, 4].map((id) => ({ ...outcome(id, 'fail_start'), is_public: false }))
  const failed = after(...own)
  expect(failed.since).toBeNull()
  const other = { ...outcome(5, 'fail_start'), group_id: 2, is_public: false }
  expect(noteOutcomes(failed, [other], at(5)).since).toBe(at(5).toISOString())
  // All in one report, in whichever order.
  expect(noteOutcomes(readyNode, [other, ...own], at(5)).since).toBe(at(5).toISOString())
  const two = [outcome(6, 'fail_start'), outcome(7, 'fail_start')]
  expect(after(...own.slice(0, 1), ...two).since).toBeNull()
})

it('a slice that fails again and again is no sign against the node', () => {
  const again = Array.from({ length: 9 }, () => outcome(1, 'fail_start', 'deployed'))
  expect(after(...again)).toMatchObject({ failures: [{ slice: 's1' }], since: null })
})

it('a sliver that starts makes the node ready again, and ends the row', () => {
  const failed = [1, 2, 3].map((id) => outcome(id, 'fail_deploy'))
  expect(after(...failed, outcome(2, 'started', 'fail_deploy'))).toEqual(readyNode)
  expect(
    after(...failed.slice(1), outcome(9, 'started', 'deployed'), ...failed.slice(1)).since,
  ).toBe(null)
})

it('what says nothing about the node changes nothing: a stop, a step on the way, a sliver that is not told of', () => {
  const failed = after(outcome(1, 'fail_deploy'), outcome(2, 'fail_deploy'))
  for (const [state, before] of [
    ['deployed', 'started'],
    ['deployed', 'allocated'],
    ['unknown', 'started'],
    ['registered', 'fail_deploy'],
    ['started', 'started'],
    ['fail_deploy', 'fail_deploy'],
  ] as const)
    expect(noteOutcomes(failed, [outcome(3, state, before)], at(5))).toEqual(failed)
})

it('a probe makes a node ready or not, where its slivers leave it open', () => {
  const own = (id: number) => ({ ...outcome(id, 'fail_start'), is_public: false })
  const [one, doubt] = [after(own(1)), after(own(1), own(2), own(3))]
  const failed = after(outcome(1, 'fail_start'), outcome(2, 'fail_start'), outcome(3, 'fail_start'))
  expect([readyNode, one, doubt, failed].map(wantsProbe)).toEqual([false, false, true, true])
  for (const known of [one, doubt, failed])
    expect(noteProbe(known, 'nothing', at(9))).toEqual(known)
  expect(noteProbe(one, 'fails', at(9))).toEqual(one)
  expect(noteProbe(doubt, 'fails', at(9))).toEqual({ ...doubt, since: at(9).toISOString() })
  expect(noteProbe(failed, 'fails', at(9))).toEqual(failed)
  for (const known of [doubt, failed]) expect(noteProbe(known, 'works', at(9))).toEqual(readyNode)
})
