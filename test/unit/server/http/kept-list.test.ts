import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { createKeptList } from '../../../../server/src/http/kept-list.ts'

interface Thing {
  readonly id: number
  readonly properties: object
  readonly last_seen_on?: string | null
}

const page = { where: sql<boolean>`true` }

/** A list of things. `read` has the ids that were read, query by query. */
function start(things: Thing[], options: { seenMs?: number; mostChars?: number } = {}) {
  const { seenMs, mostChars } = options
  const read: string[][] = []
  const gone = new Set<number>()
  const readKept = createKeptList<Thing>({
    kept: {
      idOf: ({ id }) => String(id),
      versions: () =>
        Promise.resolve(
          things.map((thing) => ({ id: String(thing.id), version: JSON.stringify(thing) })),
        ),
      read(ids) {
        read.push([...ids])
        return Promise.resolve(things.filter(({ id }) => ids.includes(String(id)) && !gone.has(id)))
      },
      ...(seenMs === undefined ? {} : { lastSeenMs: () => seenMs }),
    },
    write: JSON.stringify,
    ...(mostChars === undefined ? {} : { mostChars }),
  })
  return { things, read, gone, list: () => readKept(page) }
}

const numbered = (count: number): Thing[] =>
  Array.from({ length: count }, (_, id) => ({ id, properties: {} }))

describe('a list of kept texts', () => {
  it('reads each object once, and again when it has another version', async () => {
    const { things, read, list } = start(numbered(3))
    const first = await list()
    expect(JSON.parse(first.text)).toEqual(things)
    const again = await list()
    expect([again.text, again.etag]).toEqual([first.text, first.etag])
    things[1] = { id: 1, properties: { roof: 'flat' } }
    const changed = await list()
    expect(JSON.parse(changed.text)).toEqual(things)
    expect(changed.etag).not.toBe(first.etag)
    expect(read).toEqual([['0', '1', '2'], ['1']])
  })

  it('takes so many queries as its size needs, not one for each object', async () => {
    const { read, list } = start(numbered(1_200))
    await list()
    expect(read.map(({ length }) => length)).toEqual([500, 500, 200])
  })

  it('leaves out what was removed after its version was read', async () => {
    const { gone, list } = start(numbered(2))
    gone.add(0)
    expect(JSON.parse((await list()).text)).toEqual([{ id: 1, properties: {} }])
  })

  it('says when each was last seen, by the later of both times, under the same ETag', async () => {
    const early = '2026-05-04T12:00:00.000Z'
    const late = '2026-05-04T13:00:00.000Z'
    // Whoever names a property so changes nothing else.
    const things: Thing[] = [
      { id: 0, properties: { last_seen_on: 'x' }, last_seen_on: early },
      { id: 1, properties: {}, last_seen_on: null },
      { id: 2, properties: {}, last_seen_on: late },
    ]
    const seenMs = Date.parse('2026-05-04T12:30:00.000Z')
    const [stored, seen] = [await start(things).list(), await start(things, { seenMs }).list()]
    const timesOf = ({ text }: { text: string }) =>
      (JSON.parse(text) as Thing[]).map(({ last_seen_on: on }) => on)
    expect(timesOf(stored)).toEqual([early, null, late])
    const now = new Date(seenMs).toISOString()
    expect(timesOf(seen)).toEqual([now, now, late])
    expect(seen.etag).toBe(stored.etag)
    expect((JSON.parse(seen.text) as Thing[])[0]?.properties).toEqual({ last_seen_on: 'x' })
  })

  it('is whole also when it is larger than what is kept', async () => {
    const { things, read, list } = start(numbered(10), { mostChars: 100 })
    for (let round = 0; round < 2; round++) expect(JSON.parse((await list()).text)).toEqual(things)
    expect(read[1]?.length).toBeGreaterThan(5)
  })
})
