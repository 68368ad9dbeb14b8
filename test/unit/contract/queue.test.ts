import { createQueue } from '@community-lab/contract'
import { expect, it } from 'vitest'

it('runs one task at a time, in the order of the calls', async () => {
  const queue = createQueue()
  const first = Promise.withResolvers<undefined>()
  const begun: number[] = []
  const tasks = [
    queue(async () => {
      begun.push(1)
      await first.promise
      return 'one'
    }),
    queue(() => Promise.resolve(begun.push(2))),
  ]
  await Promise.resolve()
  expect(begun).toEqual([1])
  first.resolve(undefined)
  expect(await Promise.all(tasks)).toEqual(['one', 2])
})

it('goes on after a task that failed, and tells only who asked for that one', async () => {
  const queue = createQueue()
  const failing = queue(() => Promise.reject(new Error('on purpose')))
  const next = queue(() => Promise.resolve('done'))
  await expect(failing).rejects.toThrow('on purpose')
  await expect(next).resolves.toBe('done')
})
