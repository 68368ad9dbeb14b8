import { describe, expect, it } from 'vitest'
import { rowStream } from '../../../../kernel/src/run/row-stream.ts'

/** A stream of three rows, and how often it was read, and to which row. */
function threeRows() {
  const seen = { reads: 0, rows: 0, closed: 0 }
  const stream = rowStream(async function* () {
    seen.reads++
    try {
      for (const n of [1, 2, 3]) {
        seen.rows = n
        yield await Promise.resolve({ n })
      }
    } finally {
      seen.closed++
    }
  })
  return { stream, seen }
}

describe('a stream of rows', () => {
  it('calls a function with each row, and gives all rows, some of them, or one after the other', async () => {
    const { stream } = threeRows()
    const rows: number[] = []
    await stream.forEach(({ n }) => rows.push(n))
    for await (const { n } of stream) rows.push(n)
    expect(rows).toEqual([1, 2, 3, 1, 2, 3])
    expect(await stream.toArray()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect(await stream.take(2)).toEqual([{ n: 1 }, { n: 2 }])
  })

  it('reads no row before the work on the one before it is done', async () => {
    const { stream, seen } = threeRows()
    const gate = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    const reading = stream.forEach(() => {
      begun.resolve(undefined)
      return gate.promise
    })
    await begun.promise
    expect(seen.rows).toBe(1)
    gate.resolve(undefined)
    await reading
    expect(seen.rows).toBe(3)
  })

  it('is closed when the work fails, and when enough was taken', async () => {
    const { stream, seen } = threeRows()
    const failing = stream.forEach(() => {
      throw new Error('enough')
    })
    await expect(failing).rejects.toThrow('enough')
    await stream.take(1)
    expect(seen).toEqual({ reads: 2, rows: 1, closed: 2 })
  })

  it('refuses what is no function', async () => {
    const { stream } = threeRows()
    await expect(stream.forEach('x' as never)).rejects.toMatchObject({
      code: 'LAB_ARGUMENT_INVALID',
    })
  })
})
