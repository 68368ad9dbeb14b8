import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { LargeList } from '../../../../server/src/http/large-list.ts'

/** Make a list of so many batches, which notes how many were read. */
function makeList(batches: number) {
  const read: number[] = []
  const list = new LargeList(null, async function* some() {
    for (let nr = 0; nr < batches; nr++) {
      read.push(nr)
      yield await Promise.resolve(nr % 2 === 0 ? [{ nr }] : [])
    }
  })
  return { list, read }
}

describe('a large list', () => {
  it.each([
    [0, []],
    [1, [{ nr: 0 }]],
    [5, [{ nr: 0 }, { nr: 2 }, { nr: 4 }]],
  ])('of %i batches is one array', async (batches, objects) => {
    const { list } = makeList(batches)
    expect(JSON.parse(await text(list.toStream(JSON.stringify)))).toEqual(objects)
  })

  it('is changed batch by batch', async () => {
    const changed = makeList(3).list.map((batch) => batch.map(() => 'x'))
    expect(await text(changed.toStream(JSON.stringify))).toBe('["x","x"]')
  })

  it('is read no faster than its reader takes it, and no further than the reader goes', async () => {
    const { list, read } = makeList(1_000)
    const stream = list.toStream(JSON.stringify)
    const reader = stream[Symbol.asyncIterator]()
    await reader.next()
    await reader.next()
    expect(read.length).toBeLessThan(10)
    await reader.return?.()
    expect(stream.destroyed).toBe(true)
    expect(read.length).toBeLessThan(10)
  })
})
