import { expect, it } from 'vitest'
import { createSharedRows } from '../../../../server/src/telemetry/shared-rows.ts'
import type { RowsAnswer, RowsRequest } from '../../../../server/src/telemetry/store/protocol.ts'

const place = { scope: 'slice-3', name: 'rtt' }
const request: RowsRequest = { ...place, after: 0, run: null, limit: 2 }

/** A store of one measurement whose queries are answered when the test says so. */
function createStore() {
  const rows: number[] = []
  const listeners = new Set<(measurements: ReadonlySet<string>) => void>()
  const queries: { readonly request: RowsRequest; answer(): void }[] = []
  const read = ({ after, limit }: RowsRequest): RowsAnswer => {
    const found = rows.filter((landed) => landed > after)
    const some = found.slice(0, limit)
    const landed = some.at(-1)
    const hasMore = found.length > some.length
    const batch =
      landed === undefined ? null : { columns: ['landed'], rows: some.map((one) => [one]), landed }
    return { batch, readTo: landed ?? rows.at(-1) ?? 0, hasMore }
  }
  return {
    queries,
    commit(...landed: number[]) {
      rows.push(...landed)
      for (const listener of listeners) listener(new Set(['slice-3/rtt']))
    },
    rows(asked: RowsRequest) {
      const { promise, resolve } = Promise.withResolvers<RowsAnswer>()
      const seen = read(asked)
      queries.push({ request: asked, answer: () => resolve(seen) })
      return promise
    },
    onLanded(listener: (measurements: ReadonlySet<string>) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

it('readers of the same rows share a query, those of other rows or runs do not', async () => {
  const store = createStore()
  store.commit(1, 2, 3)
  const shared = createSharedRows(store)
  const first = [shared.read(request), shared.read(request)]
  void shared.read({ ...request, run: 'r' })
  void shared.read({ ...request, after: 1 })
  expect(store.queries).toHaveLength(3)
  for (const { answer } of store.queries) answer()
  const [one, other] = await Promise.all(first)
  expect(one).toBe(other)
  expect(one).toMatchObject({ readTo: 2, isAll: false })
  // One who comes later gets the same rows.
  expect((await shared.read(request)).text).toBe(one?.text)
  expect(store.queries).toHaveLength(3)
})

it('a commit during a query is missed by nobody who asks after it', async () => {
  const store = createStore()
  const shared = createSharedRows(store)
  const before = shared.read(request)
  store.commit(1)
  const after = shared.read(request)
  expect(store.queries).toHaveLength(2)
  for (const { answer } of store.queries) answer()
  expect((await before).text).toBeNull()
  expect((await after).readTo).toBe(1)
  // An answer that was all before a commit is not all after it.
  expect((await shared.read(request)).isAll).toBe(true)
  store.commit(2)
  expect((await shared.read(request)).isAll).toBe(false)
})

it('keeps a bounded number of answers', async () => {
  const store = createStore()
  const shared = createSharedRows(store)
  for (let after = 0; after < 200; after++) {
    const answer = shared.read({ ...request, after })
    store.queries.at(-1)?.answer()
    await answer
  }
  void shared.read({ ...request, after: 199 })
  expect(store.queries).toHaveLength(200)
  void shared.read({ ...request, after: 100 })
  expect(store.queries).toHaveLength(201)
})

it('a listener hears of its own measurement, until it ends', () => {
  const store = createStore()
  const shared = createSharedRows(store)
  let heard = 0
  const end = shared.onLanded(place, () => heard++)
  shared.onLanded({ ...place, name: 'other' }, () => (heard += 100))
  store.commit(1)
  end()
  store.commit(2)
  expect(heard).toBe(1)
})
