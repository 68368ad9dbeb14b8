import { maxOpenRunBytes, type RunTarget } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { boundTargetRuns } from '../../../../server/src/domain/target-runs.ts'

const aRun = (id: number, script: string): RunTarget => ({
  id: `r${id}`,
  sliver: `${id}@1`,
  slice_instance_sn: 0,
  instance_sn: 0,
  program: { script },
  start_at: null,
  limit_ms: null,
  is_cancelled: false,
})
const idsOf = (runs: readonly RunTarget[]) => runs.map(({ id }) => id)

it('has all runs of a node where they are small', () => {
  const runs = Array.from({ length: 1_000 }, (_, index) => aRun(index, 'sleep 10'))
  expect(boundTargetRuns(runs)).toBe(runs)
})

it('has the oldest of 200 slices with as many programs as they may have, and stays readable', () => {
  const runs = Array.from({ length: 200 }, (_, index) => aRun(index, 'x'.repeat(maxOpenRunBytes)))
  const sent = boundTargetRuns(runs)
  expect(sent.length).toBeGreaterThan(20)
  expect(idsOf(sent)).toEqual(idsOf(runs).slice(0, sent.length))
  expect(JSON.stringify(sent).length).toBeLessThan(8 * 1024 * 1024)
})

it('never leaves out a run that it had before, as others end and further ones come', () => {
  const first = [aRun(1, 'a'.repeat(50)), aRun(2, 'b'.repeat(50)), aRun(3, 'c'.repeat(50))]
  const most = JSON.stringify(first.slice(0, 2)).length
  expect(idsOf(boundTargetRuns(first, most))).toEqual(['r1', 'r2'])
  const later = [...first.slice(1), aRun(4, 'd')]
  expect(idsOf(boundTargetRuns(later, most))).toEqual(['r2', 'r3'])
})
