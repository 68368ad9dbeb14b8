import { afterEach, expect, it, vi } from 'vitest'
import type { NetworkChange } from '../../../../agent/src/sliver/host/changes.ts'
import {
  restAfterMs,
  startUpkeep,
  type Finding,
  type UpkeepOptions,
} from '../../../../agent/src/sliver/upkeep.ts'

afterEach(() => void vi.useRealTimers())

const hourMs = 3_600_000

function options(more: Partial<UpkeepOptions>): UpkeepOptions {
  return {
    parts: [],
    watch: () => Promise.resolve(),
    everyMs: hourMs,
    nowMs: () => 0,
    onFinding: () => undefined,
    onError: () => undefined,
    ...more,
  }
}

it('tells what it found for an hour, each thing once', async () => {
  let now = 0
  let found: Finding[] = [{ member: '', message: 'it was gone' }]
  const heard: string[] = []
  const part = { name: 'filter', after: [], check: () => Promise.resolve(found) }
  const upkeep = startUpkeep(
    options({
      parts: [part],
      nowMs: () => now,
      onFinding: (_part, { message }) => heard.push(message),
    }),
  )
  await upkeep.check()
  await upkeep.check()
  expect(upkeep.problems).toEqual(found)
  expect(heard).toEqual(['it was gone'])
  found = []
  now = hourMs
  expect(upkeep.problems).toEqual([])
  await upkeep.close()
})

it('looks after the other parts when one cannot be looked after', async () => {
  const errors: string[] = []
  const finding = { member: '', message: 'the links were gone' }
  const upkeep = startUpkeep(
    options({
      parts: [
        { name: 'filter', after: [], check: () => Promise.reject(new Error('no nft')) },
        { name: 'links', after: [], check: () => Promise.resolve([finding]) },
      ],
      onError: (part, error) => errors.push(`${part}: ${String(error)}`),
    }),
  )
  await upkeep.check()
  expect(errors).toEqual(['filter: Error: no nft'])
  expect(upkeep.problems).toEqual([finding])
  await upkeep.close()
})

it('looks once more when something changes while it looks', async () => {
  let looks = 0
  const first = Promise.withResolvers<undefined>()
  const upkeep = startUpkeep(
    options({
      parts: [
        {
          name: 'filter',
          after: ['filters'],
          async check() {
            looks += 1
            if (looks === 1) await first.promise
            return []
          },
        },
      ],
    }),
  )
  const one = upkeep.check()
  await Promise.resolve()
  const others = [upkeep.check(), upkeep.check()]
  first.resolve(undefined)
  await Promise.all([one, ...others])
  expect(looks).toBe(2)
  await upkeep.close()
})

it('spends a tenth of the time on looks at most, however many events there are', async () => {
  vi.useFakeTimers()
  const lookMs = 20
  let looks = 0
  let tell: (change: NetworkChange) => void = () => undefined
  const upkeep = startUpkeep(
    options({
      nowMs: () => Date.now(),
      parts: [
        {
          name: 'filter',
          after: ['filters'],
          async check() {
            looks += 1
            await new Promise((resolve) => setTimeout(resolve, lookMs))
            return []
          },
        },
      ],
      watch(onChange) {
        tell = onChange
        return Promise.resolve()
      },
    }),
  )
  const beganMs = Date.now()
  while (Date.now() - beganMs < 10_000) {
    tell('filters')
    await vi.advanceTimersByTimeAsync(1)
  }
  expect(looks).toBeGreaterThan(40)
  expect(looks).toBeLessThanOrEqual(51)
  await upkeep.close()
})

it('lets no change wait for more than a second after a slow look', () => {
  expect(restAfterMs(20)).toBe(180)
  expect(restAfterMs(5_000)).toBe(1_000)
})

it('looks, after a change, after the parts that it concerns, and by time after all', async () => {
  vi.useFakeTimers()
  const looks: string[] = []
  let tell: (change: NetworkChange) => void = () => undefined
  const part = (name: string, after: readonly NetworkChange[]) => ({
    name,
    after,
    check() {
      looks.push(name)
      return Promise.resolve([])
    },
  })
  const upkeep = startUpkeep(
    options({
      nowMs: () => Date.now(),
      parts: [part('filter', ['filters']), part('links', ['links']), part('space', [])],
      watch(onChange) {
        tell = onChange
        return Promise.resolve()
      },
    }),
  )
  tell('links')
  tell('links')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(looks).toEqual(['links'])
  tell('filters')
  tell('links')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(looks).toEqual(['links', 'filter', 'links'])
  await vi.advanceTimersByTimeAsync(hourMs)
  expect(looks).toEqual(['links', 'filter', 'links', 'filter', 'links', 'space'])
  await upkeep.close()
})
