import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import {
  anySite,
  createKeptList,
  putSite,
  type WrittenList,
} from '../../../../server/src/http/kept-list.ts'

interface Thing {
  readonly id: number
  readonly properties: object
  readonly last_seen_on?: string | null
}

const parse = ({ bytes }: WrittenList) => JSON.parse(bytes.toString()) as Thing[]
const page = { where: sql<boolean>`true` }

/** A list of things. `read` has the ids that were read, query by query. */
function start(things: Thing[], options: { seenMs?: number; mostBytes?: number } = {}) {
  const { seenMs, mostBytes } = options
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
    ...(mostBytes === undefined ? {} : { mostBytes }),
  })
  return { things, read, gone, list: () => readKept(page) }
}

const numbered = (count: number): Thing[] =>
  Array.from({ length: count }, (_, id) => ({ id, properties: {} }))

describe('a list of kept texts', () => {
  it('reads each object once, and again when it has another version', async () => {
    const { things, read, list } = start(numbered(3))
    const first = await list()
    expect(parse(first)).toEqual(things)
    const again = await list()
    expect([again.bytes, again.etag]).toEqual([first.bytes, first.etag])
    things[1] = { id: 1, properties: { roof: 'flat' } }
    const changed = await list()
    expect(parse(changed)).toEqual(things)
    expect(changed.etag).not.toBe(first.etag)
    expect(read).toEqual([['0', '1', '2'], ['1']])
  })

  it('has the site of each asker in the place of its own, and an ETag that stays when the server starts again', async () => {
    const readKept = (prefix: string) =>
      createKeptList<Thing>({
        kept: {
          idOf: ({ id }) => String(id),
          versions: () => Promise.resolve([{ id: '1', version: '1' }]),
          read: () => Promise.resolve([{ id: 1, properties: { a: '/x', b: 'ä', c: '/y' } }]),
        },
        write: ({ properties }) => {
          const [a = '', b, c = ''] = Object.values(properties) as string[]
          return JSON.stringify([prefix + a, b, prefix + c])
        },
      })(page)
    const { bytes, etag } = await readKept(anySite)
    for (const site of ['http://a', 'https://lab.example:8443/testbed'])
      expect(putSite(bytes, site).toString()).toBe(`[["${site}/x","ä","${site}/y"]]`)
    expect((await readKept('')).etag).toBe(etag)
  })

  it('takes so many queries as its size needs, not one for each object', async () => {
    const { read, list } = start(numbered(1_200))
    await list()
    expect(read.map(({ length }) => length)).toEqual([500, 500, 200])
  })

  it('is empty when there is nothing', async () => {
    expect(parse(await start([]).list())).toEqual([])
  })

  it('leaves out what was removed after its version was read', async () => {
    const { gone, list } = start(numbered(2))
    gone.add(0)
    expect(parse(await list())).toEqual([{ id: 1, properties: {} }])
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
    const timesOf = (list: WrittenList) => parse(list).map(({ last_seen_on: on }) => on)
    expect(timesOf(stored)).toEqual([early, null, late])
    const now = new Date(seenMs).toISOString()
    expect(timesOf(seen)).toEqual([now, now, late])
    expect(seen.etag).toBe(stored.etag)
    expect(parse(seen)[0]?.properties).toEqual({ last_seen_on: 'x' })
  })

  it('is whole also when it is larger than what is kept', async () => {
    const { things, read, list } = start(numbered(10), { mostBytes: 100 })
    for (let round = 0; round < 2; round++) expect(parse(await list())).toEqual(things)
    expect(read[1]?.length).toBeGreaterThan(5)
  })
})
