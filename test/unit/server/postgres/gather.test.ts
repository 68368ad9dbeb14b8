import { expect, it } from 'vitest'
import { createGather } from '../../../../server/src/postgres/gather.ts'

/** Readings that end when the test says so. */
function makeReader() {
  const readings: { keys: readonly number[]; end: (error?: Error) => void }[] = []
  const began: (() => void)[] = []
  const read = (keys: readonly number[]): Promise<ReadonlyMap<number, string>> =>
    new Promise((resolve, reject) => {
      const end = (error?: Error): void =>
        error === undefined ? resolve(new Map(keys.map((key) => [key, `v${key}`]))) : reject(error)
      readings.push({ keys, end })
      began.shift()?.()
    })
  const next = (): Promise<void> => new Promise((resolve) => void began.push(resolve))
  return { read, readings, next }
}

it('reads what is asked for meanwhile in one further reading', async () => {
  const { read, readings, next } = makeReader()
  const ask = createGather({ read, maxKeys: 10 })
  const first = next()
  const early = [ask(1), ask(2), ask(1)]
  await first
  const late = [ask(1), ask(3)]
  expect(readings.map(({ keys }) => keys)).toEqual([[1, 2]])
  const second = next()
  readings[0]?.end()
  expect(await Promise.all(early)).toEqual(['v1', 'v2', 'v1'])
  await second
  // Asked for after the first reading began: it may have missed a change.
  expect(readings.map(({ keys }) => keys)).toEqual([
    [1, 2],
    [1, 3],
  ])
  readings[1]?.end()
  expect(await Promise.all(late)).toEqual(['v1', 'v3'])
})

it('reads no more than so many at once', async () => {
  const read = (keys: readonly number[]) => Promise.resolve(new Map([[keys[0] ?? 0, keys.length]]))
  const ask = createGather({ read, maxKeys: 2 })
  expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([2, undefined, 1])
})

it('tells a failure to those who waited for that reading alone', async () => {
  const { read, readings, next } = makeReader()
  const ask = createGather({ read, maxKeys: 10 })
  const first = next()
  const failed = ask(1)
  await first
  const second = next()
  const good = ask(1)
  readings[0]?.end(new Error('away'))
  await expect(failed).rejects.toThrow('away')
  await second
  readings[1]?.end()
  expect(await good).toBe('v1')
})

it('does not let all wait for a reading that never ends', async () => {
  const { read, readings, next } = makeReader()
  const ask = createGather({ read, maxKeys: 10, withinMs: 1 })
  await expect(ask(1)).rejects.toMatchObject({ code: 'LAB_SERVER_UNAVAILABLE' })
  const second = next()
  const good = ask(1)
  await second
  readings[1]?.end()
  expect(await good).toBe('v1')
  // The answer comes after all; nobody waits for it any more.
  readings[0]?.end(new Error('away'))
})
