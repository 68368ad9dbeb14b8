import { routes, type AuditEntry, type JournalEntry } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  await addEntries(10_500, 'long ago')
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

/** Add lives of slivers on node 1. The first of them alone tells when it started. */
async function addEntries(count: number, startedOn: string | null = null): Promise<void> {
  await sql`insert into journal (slice_id, slice_name, group_id, group_name, node_id, node_name,
      began_on, ended_on, started_on)
    select nr, 'slice-' || nr, 2, 'red', 1, 'n1', now() - interval '1 day', now(),
      case nr when 1 then ${startedOn}::text end
    from generate_series(1, ${count}) as nr`.execute(world.database.db)
}

interface Page<T> {
  readonly objects: readonly T[]
  readonly links: Readonly<Record<string, string>>
}

async function readPage<T>(url: string, token: string | null = null): Promise<Page<T>> {
  const { body, headers } = await world.ask(token, 'GET', url)
  const found = String(headers.link).matchAll(/<([^>]+)>; rel="(\w+)"/gu)
  return {
    objects: JSON.parse(body) as T[],
    links: Object.fromEntries(
      [...found].map(([, target = '', relation = '']) => [relation, target] as const),
    ),
  }
}

/** Read page after page, by the links. `onPage` is called after each. */
async function readPages(
  url: string,
  onPage: (page: Page<JournalEntry>) => Promise<void> = () => Promise.resolve(),
): Promise<readonly Page<JournalEntry>[]> {
  const pages: Page<JournalEntry>[] = []
  for (let next: string | undefined = url; next !== undefined;) {
    const page: Page<JournalEntry> = await readPage(next)
    pages.push(page)
    await onPage(page)
    next = page.links['next']
  }
  return pages
}

const namesOf = (entries: readonly JournalEntry[]) => entries.map(({ slice_name: name }) => name)

describe('a list that grows without end', () => {
  it('is read page by page, each entry once, also when others are added meanwhile', async () => {
    const pages = await readPages(`${routes.journal}?per_page=1000`, () => addEntries(1))
    const ids = pages.flatMap(({ objects }) => objects.map(({ id }) => id))
    expect(ids).toEqual([...ids].sort((one, other) => other - one))
    expect(new Set(ids).size).toBe(10_500)
    expect(pages.map(({ objects }) => objects.length)).toEqual([
      ...Array<number>(10).fill(1000),
      500,
    ])
    expect(Object.keys(pages[0]?.links ?? {})).toEqual(['first', 'next'])
    expect(Object.keys(pages.at(-1)?.links ?? {})).toEqual(['first'])
  })

  it('has no next page after its last, however many objects that has', async () => {
    const pages = await readPages(`${routes.journal}?per_page=5&/slice/id=[11,12,13,14,15]`)
    expect(pages.map(({ objects }) => namesOf(objects))).toEqual([
      ['slice-15', 'slice-14', 'slice-13', 'slice-12', 'slice-11'],
    ])
  })

  it('has numbered pages near the first, and refuses those for which much would be skipped', async () => {
    const url = `${routes.journal}?/slice/id=[11,12,13]&per_page=1&page=`
    expect(namesOf((await readPage<JournalEntry>(`${url}3`)).objects)).toEqual(['slice-11'])
    const refused = await world.ask(null, 'GET', `${url}10002`)
    expect([refused.statusCode, refused.body]).toEqual([
      400,
      expect.stringContaining('must be at most 10001 in this list'),
    ])
  })

  it('is searched in parts by what the database has no column for', async () => {
    const pages = await readPages(`${routes.journal}?/started_on="long ago"&per_page=10`)
    expect(pages.length).toBe(2)
    expect(pages.map(({ objects }) => namesOf(objects))).toEqual([[], ['slice-1']])
  })

  it('comes in pages also to operators who ask for all: the audit trail', async () => {
    await sql`insert into audit ("right", kind, action, object_id)
      select 'change a node', 'node', 'updated', nr::text from generate_series(1, 300) nr`.execute(
      world.database.db,
    )
    const first = await readPage<AuditEntry>(routes.audit, world.operator)
    expect(first.objects.length).toBe(100)
    const next = await readPage<AuditEntry>(first.links['next'] ?? '', world.operator)
    expect(next.objects[0]?.id).toBe((first.objects.at(-1)?.id ?? 0) + 1)
  })
})
