import { expect, it } from 'vitest'
import {
  addCounts,
  countsLine,
  exitCodeOf,
  judgeStage,
  noCounts,
  oneTest,
} from '../../../../server/cli/setup/test/counts.mjs'

const three = { ...noCounts, passed: 3 }

it('ends with what passed and failed, and with what was skipped only when something was', () => {
  expect(countsLine(three)).toBe('3 passed, 0 failed')
  expect(countsLine({ ...three, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped')
})

it('adds stages up', () => {
  expect(addCounts(three, oneTest('lint', false))).toEqual({
    passed: 3,
    failed: 1,
    skipped: 0,
    failures: ['lint'],
    leftOut: [],
  })
})

it('counts a stage that crashed as failed, whatever passed before', () => {
  expect(judgeStage('e2e', null, 0).failed).toBe(1)
  expect(judgeStage('e2e', three, 137)).toMatchObject({ passed: 3, failed: 1 })
})

it('does not count a failed test a second time for the exit code that it causes', () => {
  expect(judgeStage('unit', { ...three, failed: 2 }, 1)).toMatchObject({ passed: 3, failed: 2 })
})

it('succeeds only when something passed and nothing failed', () => {
  expect([exitCodeOf(three), exitCodeOf(noCounts), exitCodeOf({ ...three, failed: 1 })]).toEqual([
    0, 1, 1,
  ])
})
