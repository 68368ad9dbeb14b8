import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { virtualClocks } from '../../../agent/src/clock/source.ts'
import { createNodeClock } from '../../../server/vct/src/pod/node-clock.ts'

it('gives an agent the drift from the next start on, and the right rate again after it was taken back', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'lab-clock-'))
  const file = join(folder.path, 'clock.json')
  const rate = (): number => virtualClocks(file).rate
  const clock = createNodeClock(file)
  await clock.start()
  await clock.set({ ahead_s: 0, drift_ppm: 50 })
  expect(rate()).toBe(1)
  await clock.start()
  expect(rate()).toBe(1 + 50e-6)
  await clock.set({ ahead_s: 0, drift_ppm: 0 })
  expect(rate()).toBe(1 + 50e-6)
  // Also by another supervisor, which finds the file.
  const next = createNodeClock(file)
  await next.start()
  expect(rate()).toBe(1)
})
