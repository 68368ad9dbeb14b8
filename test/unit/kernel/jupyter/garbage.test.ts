import { expect, it } from 'vitest'
import { IdleCollection } from '../../../../kernel/src/jupyter/garbage.ts'

it('gives back what nobody holds any more, once nothing was done for a while', async () => {
  const collected = Promise.withResolvers<string>()
  const registry = new FinalizationRegistry<string>((name) => collected.resolve(name))
  const collection = new IdleCollection(1)
  const fill = (): void => {
    // More than what is worth a collection.
    const rows = Array.from({ length: 2 ** 20 }, (_, n) => ({ n, text: `row ${n}` }))
    registry.register(rows, 'rows')
  }
  fill()
  collection.defer()
  // The timer does not keep the process alive; this does.
  const alive = setInterval(() => undefined, 1000)
  expect(await collected.promise).toBe('rows')
  clearInterval(alive)
})
