import { expect, it } from 'vitest'
import { IdleCollection } from '../../../../kernel/src/jupyter/garbage.ts'

it('frees memory that is not used any more after an idle time', async () => {
  const collected = Promise.withResolvers<string>()
  const registry = new FinalizationRegistry<string>((name) => collected.resolve(name))
  const collection = new IdleCollection({ idleMs: 1 })
  const fill = (): void => {
    // More memory than the threshold of a collection.
    const rows = Array.from({ length: 2 ** 20 }, (_, n) => ({ n, text: `row ${n}` }))
    registry.register(rows, 'rows')
  }
  fill()
  collection.defer()
  // The collection's timer does not keep the process alive, but this one does.
  const alive = setInterval(() => undefined, 1000)
  expect(await collected.promise).toBe('rows')
  clearInterval(alive)
})

it('tells that it has collected, each time', () => {
  let count = 0
  const collection = new IdleCollection({ idleMs: 3_600_000, onCollected: () => (count += 1) })
  collection.collect()
  collection.collect()
  expect(count).toBe(2)
})
