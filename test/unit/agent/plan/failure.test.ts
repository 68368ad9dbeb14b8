import { expect, it } from 'vitest'
import {
  describeWanted,
  nextRetryAtMs,
  noteFailure,
  noteSuccess,
  type Failure,
} from '../../../../agent/src/plan/failure.ts'
import { aCurrent, aSliverTarget, aStatus, aTarget, planFor } from './situation.ts'

const error = { member: '/template/image_sha256', message: 'corrupted' }
const target = aTarget()
const wanted = describeWanted(target.node, target.slivers[0])
const deployFailed = { step: 'deploy', error, wanted } as const
const allocated = aCurrent([aStatus({ stage: 'allocated' })])

it('leaves a failed sliver alone until its time has come', () => {
  const failures = new Map([['1@1', noteFailure(undefined, deployFailed, 5_000)]])
  expect(planFor(target, allocated, failures, 5_999)).toEqual([])
  expect(planFor(target, allocated, failures, 6_000).map((step) => step.kind)).toEqual([
    'deploy',
    'start',
  ])
})

it('tries at once when something else is wanted of it', () => {
  const failures = new Map([['1@1', noteFailure(undefined, deployFailed, 0)]])
  const template = { ...aSliverTarget().template, image_sha256: 'b'.repeat(64) }
  const mended = aTarget([
    aSliverTarget({ template: { ...aSliverTarget().template, ...template } as never }),
  ])
  expect(planFor(mended, allocated, failures, 1).map((step) => step.kind)).toEqual([
    'deploy',
    'start',
  ])
  expect(planFor(aTarget([]), allocated, failures, 1).map((step) => step.kind)).toEqual(['remove'])
})

it('does not hold other slivers up', () => {
  const failures = new Map([['1@1', noteFailure(undefined, deployFailed, 0)]])
  const both = aTarget([aSliverTarget(), aSliverTarget({ id: '2@1' })])
  expect(planFor(both, allocated, failures, 1).map((step) => step.kind)).toEqual([
    'allocate',
    'deploy',
    'start',
  ])
})

it('doubles its wait from a second to five minutes', () => {
  const waits: number[] = []
  let failure: Failure | undefined
  for (let round = 0; round < 11; round += 1) {
    failure = noteFailure(failure, deployFailed, 0)
    waits.push(failure.retryAtMs / 1_000)
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
})

it('counts again for another wish, and after a minute that went well', () => {
  const twice = noteFailure(noteFailure(undefined, deployFailed, 0), deployFailed, 0)
  expect(twice.attempts).toBe(2)
  expect(noteFailure(twice, { ...deployFailed, wanted: 'other' }, 0).attempts).toBe(1)
  expect(noteFailure(noteSuccess(twice, 0), deployFailed, 59_999).attempts).toBe(3)
  expect(noteFailure(noteSuccess(twice, 0), deployFailed, 60_000).attempts).toBe(1)
})

it('wakes for the first retry that is still to come', () => {
  const failure = (retryAtMs: number, healedAtMs: number | null = null): Failure => ({
    ...noteFailure(undefined, deployFailed, 0),
    retryAtMs,
    healedAtMs,
  })
  const failures = new Map([
    ['1@1', failure(100)],
    ['2@1', failure(300)],
    ['3@1', failure(200)],
    ['4@1', failure(150, 120)],
  ])
  expect(nextRetryAtMs(failures, 100)).toBe(200)
  expect(nextRetryAtMs(new Map(), 0)).toBeNull()
})
