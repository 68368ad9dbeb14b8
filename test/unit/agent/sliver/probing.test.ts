import { expect, it } from 'vitest'
import type { FoundPlatform } from '../../../../agent/src/sliver/platform.ts'
import { createProbing } from '../../../../agent/src/sliver/probing.ts'

const platform = {} as NonNullable<FoundPlatform['platform']>
const good: FoundPlatform = {
  platform,
  capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
}
const bad: FoundPlatform = {
  platform: null,
  capabilities: { runtime: 'none', limits: false, userns: false, lacks: ['no memory'] },
}

it('finds out again what works after ten minutes, and what does not after half a minute', async () => {
  let nowMs = 0
  let next = good
  const asked: (FoundPlatform | undefined)[] = []
  const probing = await createProbing({
    find(before) {
      asked.push(before)
      return Promise.resolve(next)
    },
    nowMs: () => nowMs,
  })
  next = bad
  nowMs = 599_999
  expect(await probing.refreshIfDue()).toBe(false)
  nowMs = 600_000
  expect(await probing.refreshIfDue()).toBe(true)
  expect(probing.found).toBe(bad)
  next = good
  nowMs += 30_000
  expect(await probing.refreshIfDue()).toBe(true)
  expect(probing.found).toBe(good)
  // Each finding is compared with the best one before it.
  expect(asked).toEqual([undefined, good, good])
})
