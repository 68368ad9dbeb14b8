import { expect, it } from 'vitest'
import { createFilter, type Filter, type Nft } from '../../../../../agent/src/sliver/host/filter.ts'

/** A kernel that has the script which was set last. */
class FakeNft implements Nft {
  readonly done: ('set' | 'list' | 'expected')[] = []
  tables: string | null = null
  /** Called when the tables were set, before they are listed. */
  afterSet = (): void => undefined

  set(script: string): Promise<void> {
    this.done.push('set')
    this.tables = script
    this.afterSet()
    return Promise.resolve()
  }

  expected(script: string): Promise<string> {
    this.done.push('expected')
    return Promise.resolve(script)
  }

  list(): Promise<string> {
    this.done.push('list')
    return this.tables === null
      ? Promise.reject(new Error('No such file or directory'))
      : Promise.resolve(this.tables)
  }
}

const network = {
  serverAddress: 'fd77::1',
  mgmtPrefix: 'fd77::/48',
  mgmtInterface: 'clab',
}
const sliver = (nr: number) => ({ nr, interfaces: [] })

function create(nft: Nft): Filter {
  return createFilter({ network, running: [], mbps: 10, nft })
}

it('slivers that are admitted at once are set by one command, and listed once', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  await Promise.all([1, 2, 3].map((nr) => filter.admit(sliver(nr))))
  expect(await filter.check()).toBeNull()
  expect(nft.done).toEqual(['set', 'list', 'list', 'expected'])
})

it('who admits a sliver waits until the filter is set, not until it is listed', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  nft.list = () => new Promise(() => undefined)
  await filter.admit(sliver(1))
  expect(nft.done).toEqual(['set'])
})

it('tables that are about to be set again are not listed before', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  const later: Promise<void>[] = []
  nft.afterSet = () => {
    if (later.length === 0) later.push(filter.admit(sliver(2)))
  }
  await filter.admit(sliver(1))
  await Promise.all(later)
  expect(await filter.check()).toBeNull()
  expect(nft.done).toEqual(['set', 'set', 'list', 'list', 'expected'])
})

it('a change that comes while the filter is set is its own; one that comes later is not', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  const during: boolean[] = []
  nft.afterSet = () => during.push(filter.isBeingSet)
  await filter.admit(sliver(1))
  expect(await filter.check()).toBeNull()
  expect([...during, filter.isBeingSet]).toEqual([true, false])
})

it('a filter that goes after it was set, before it is listed, is set again at once', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  let flushes = 1
  nft.afterSet = () => {
    if (flushes-- > 0) nft.tables = null
  }
  await filter.admit(sliver(1))
  expect(await filter.check()).toBeNull()
  expect(nft.done).toEqual(['set', 'list', 'set', 'list', 'list', 'expected'])
})

it('a rule that somebody deletes after the filter was set, before it is listed, is found', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  let changes = 1
  nft.afterSet = () => {
    if (changes-- > 0) nft.tables = 'a rule less'
  }
  await filter.admit(sliver(1))
  expect(await filter.check()).toBe('changed')
  expect(await filter.check()).toBeNull()
})

it('what is expected is asked for once for each filter', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  for (const nr of [1, 2]) {
    await filter.admit(sliver(nr))
    for (let checks = 1; checks <= 3; checks++) expect(await filter.check()).toBeNull()
  }
  expect(nft.done.filter((what) => what === 'expected')).toHaveLength(2)
})

it('a filter that an earlier agent has set is set again, and that is no finding', async () => {
  const nft = new FakeNft()
  nft.tables = 'those of an earlier agent'
  const filter = create(nft)
  expect(await filter.check()).toBeNull()
  expect(nft.done.filter((what) => what === 'set')).toHaveLength(1)
})

it('a filter that was flushed or changed is found so, and set again', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  await filter.admit(sliver(1))
  expect(await filter.check()).toBeNull()
  nft.tables = null
  expect(await filter.check()).toBe('gone')
  nft.tables = 'what somebody else has set'
  expect(await filter.check()).toBe('changed')
  expect(await filter.check()).toBeNull()
})

it('one that cannot be set is told as unfiltered, and what is told later is looked at', async () => {
  const nft = new FakeNft()
  const filter = create(nft)
  nft.set = () => Promise.reject(new Error('out of memory'))
  await expect(filter.admit(sliver(1))).rejects.toMatchObject({ code: 'LAB_SLIVER_UNFILTERED' })
  expect(filter.isBeingSet).toBe(false)
})
