import type { RunTarget } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { planRuns, superviseAheadMs, type RunStatus } from '../../../../agent/src/plan/runs.ts'
import { aSliverTarget, aStatus, aTarget } from './situation.ts'

const nowMs = Date.UTC(2026, 0, 1)

const aRun = (changes: Partial<RunTarget> = {}): RunTarget => ({
  id: 'one-20260101T000000Z-000000000001',
  sliver: '1@1',
  slice_instance_sn: 0,
  instance_sn: 0,
  program: { script: 'true' },
  start_at: null,
  limit_ms: null,
  is_cancelled: false,
  ...changes,
})
const known = (changes: Partial<RunStatus> = {}): RunStatus => ({
  id: aRun().id,
  sliver: '1@1',
  state: 'running',
  isSupervised: true,
  hasFiles: false,
  isCancelling: false,
  isSent: false,
  keeps: null,
  recordedMs: nowMs,
  ...changes,
})

const plan = (
  wanted: readonly RunTarget[] | null,
  runs: readonly RunStatus[] = [],
  slivers = [aStatus()],
) => planRuns({ target: { ...aTarget(), runs: wanted }, slivers, runs, nowMs })
const kinds = (...of: Parameters<typeof plan>) =>
  plan(...of).steps.map((step) => ('reason' in step ? `${step.kind} ${step.reason}` : step.kind))

it('a run is supervised once its sliver has started, and nothing is left to do then', () => {
  expect(kinds([aRun()], [], [aStatus({ stage: 'deployed' })])).toEqual([])
  expect(kinds([aRun()])).toEqual(['supervise'])
  expect(kinds([aRun()], [known({ state: 'waiting' })])).toEqual([])
  expect(kinds([aRun()], [known()])).toEqual([])
  expect(kinds([aRun()], [known({ state: 'ended', isSupervised: false })])).toEqual([])
})

it('a run of later is supervised a minute before, and that is when the next look is due', () => {
  const later = aRun({ start_at: new Date(nowMs + superviseAheadMs + 5000).toISOString() })
  expect(plan([later])).toEqual({ steps: [], dueInMs: 5000 })
  // The node's clock may be set meanwhile, and a timer of 24.9 days or more would end at once.
  const nextMonth = aRun({ start_at: new Date(nowMs + 30 * 86_400_000).toISOString() })
  expect(plan([nextMonth])).toEqual({ steps: [], dueInMs: 30_000 })
  const soon = aRun({ start_at: new Date(nowMs + superviseAheadMs).toISOString() })
  expect(kinds([soon])).toEqual(['supervise'])
  const past = aRun({ start_at: new Date(nowMs - 1e9).toISOString() })
  expect(kinds([past])).toEqual(['supervise'])
})

it('a run whose supervisor was killed is supervised again before it has begun, and is lost after', () => {
  expect(kinds([aRun()], [known({ state: 'waiting', isSupervised: false })])).toEqual(['supervise'])
  expect(kinds([aRun()], [known({ isSupervised: false })])).toEqual(['close lost'])
})

it('a run that is cancelled, or not in the target any more, is ended once', () => {
  const cancelled = [aRun({ is_cancelled: true })]
  for (const wanted of [cancelled, []]) {
    expect(kinds(wanted, [known()])).toEqual(['cancel'])
    expect(kinds(wanted, [known({ isCancelling: true })])).toEqual([])
    expect(kinds(wanted, [known({ state: 'waiting' })])).toEqual(['cancel'])
  }
  expect(kinds(cancelled)).toEqual(['close cancelled'])
})

it('a run belongs to the instance of its sliver: after a reset it ends without having begun', () => {
  const reset = { ...aTarget([aSliverTarget({ slice_instance_sn: 1 })]), runs: [aRun()] }
  const at = (runs: readonly RunStatus[], sliceInstanceSn: number) =>
    planRuns({ target: reset, slivers: [aStatus({ sliceInstanceSn })], runs, nowMs }).steps
  expect(at([], 0)).toMatchObject([{ kind: 'close', reason: 'reset' }])
  expect(at([], 1)).toMatchObject([{ kind: 'close', reason: 'reset' }])
  // It was asked for after the reset, which the node has not made yet.
  const next = { ...reset, runs: [aRun({ slice_instance_sn: 1 })] }
  expect(planRuns({ target: next, slivers: [aStatus()], runs: [], nowMs }).steps).toEqual([])
})

it('without a target, or with one of a server that knows of no runs, nothing is changed', () => {
  expect(kinds(null, [known()])).toEqual([])
  expect(planRuns({ target: null, slivers: [], runs: [known()], nowMs }).steps).toEqual([])
})

it('the record of a run is kept while its sliver is there, and forgotten after it, once its output is sent', () => {
  const ended = known({ state: 'ended', isSupervised: false })
  expect(kinds([], [{ ...ended, isSent: true }])).toEqual([])
  expect(kinds([], [{ ...ended, isSent: true }], [])).toEqual(['forget'])
  expect(kinds([], [ended], [])).toEqual([])
})

it('no run is started on a sliver of which eight ended runs have output on the disk', () => {
  const unsent = Array.from({ length: 8 }, (_, index) =>
    known({ id: `old${index}`, state: 'ended', isSupervised: false }),
  )
  expect(kinds([aRun()], unsent)).toEqual([])
  expect(kinds([aRun()], unsent.slice(1))).toEqual(['supervise'])
})

it('a program with files starts when they are there, and not before', () => {
  const files = { uri: '/api/groups/1/data/x', sha256: '0'.repeat(64), size_bytes: 10 }
  const run = aRun({ files, start_at: new Date(nowMs + 3_600_000).toISOString() })
  const waiting = known({ state: 'waiting', isSupervised: false })
  // They are fetched at once, so that they are there at its time.
  expect(kinds([run])).toEqual(['fetch'])
  expect(kinds([run], [waiting])).toEqual(['fetch'])
  expect(kinds([run], [{ ...waiting, hasFiles: true }])).toEqual([])
  expect(kinds([{ ...run, start_at: null }], [{ ...waiting, hasFiles: true }])).toEqual([
    'supervise',
  ])
  expect(kinds([{ ...run, is_cancelled: true }])).toEqual(['close cancelled'])
})

it('the files of a run that has ended are taken out of its sliver, one run at a time, and missed when that cannot be any more', () => {
  const keeps = { sliceInstanceSn: 0, instanceSn: 0, areTaken: false }
  const ended = known({ state: 'ended', isSupervised: false, keeps })
  const second = { ...ended, id: 'two-20260101T000000Z-000000000002', recordedMs: nowMs + 1 }
  const wanted = [aSliverTarget()]
  const steps = (
    runs: readonly RunStatus[],
    slivers = [aStatus()],
    target = { ...aTarget(), slivers: wanted, runs: [] as readonly RunTarget[] },
  ) =>
    planRuns({ target, slivers, runs, nowMs })
      .steps.filter(({ kind }) => kind !== 'forget')
      .map((step) =>
        [step.kind, 'id' in step ? step.id.slice(0, 3) : '', 'why' in step ? step.why : '']
          .join(' ')
          .trim(),
      )
  expect(steps([second, ended])).toEqual(['collect one'])
  // Its supervisor removes the run's cgroup at the very end.
  expect(steps([{ ...ended, isSupervised: true }])).toEqual([])
  const taken = { ...ended, keeps: { ...keeps, areTaken: true } }
  expect(steps([second, taken])).toEqual([])
  expect(steps([second, { ...taken, isSent: true }])).toEqual(['collect two'])
  // It starts again after its node has.
  expect(steps([ended], [aStatus({ stage: 'deployed' })])).toEqual([])
  const stopped = [aSliverTarget({ set_state: 'deploy' })]
  expect(
    steps([ended], [aStatus({ stage: 'deployed' })], {
      ...aTarget(),
      slivers: stopped,
      runs: [],
    }),
  ).toEqual(['miss one its sliver does not run any more'])
  expect(steps([ended], [aStatus({ instanceSn: 1 })])).toEqual(['miss one its sliver was reset'])
  expect(steps([ended], [])).toEqual(['miss one its sliver was removed'])
  expect(steps([known({ keeps })])).toEqual(['cancel one'])
})
