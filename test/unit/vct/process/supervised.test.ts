import { expect, test } from 'vitest'
import { restartDelayMs } from '../../../../server/vct/src/process/supervised.ts'

test('a process that keeps ending is started again ever more slowly, up to 5 s', () => {
  expect([1, 2, 3, 6, 7, 100].map(restartDelayMs)).toEqual([200, 400, 800, 5000, 5000, 5000])
})
