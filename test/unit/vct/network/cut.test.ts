import { expect, test } from 'vitest'
import { parseCuts } from '../../../../server/vct/src/network/cut.ts'

const chain = (table: string, policy: string) => ({
  chain: {
    family: 'netdev',
    table,
    name: 'in',
    type: 'filter',
    hook: 'ingress',
    prio: -500,
    policy,
  },
})
const listing = (...entries: readonly object[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...entries] })

test('an interface is cut when its own table drops what comes in', () => {
  expect(parseCuts(listing(chain('cut_r2', 'drop'), chain('cut_w1', 'drop')))).toEqual(['r2', 'w1'])
})

test('a chain that accepts, or a table of somebody else, cuts nothing', () => {
  expect(parseCuts(listing(chain('cut_r2', 'accept'), chain('ingress', 'drop')))).toEqual([])
})

test('where nothing was ever cut nothing is', () => {
  expect(parseCuts(listing())).toEqual([])
})
