import { describe, expect, it } from 'vitest'
import { readServerConfiguration } from '../../../server/src/config.ts'
import { environmentOf, serverSettings } from '../../support/server-settings.ts'

/** Read the settings of a server, with others. */
function read(settings: Readonly<Record<string, string>>) {
  const others = Object.entries(settings).map(([name, value]) => [
    `COMMUNITY_LAB_SERVER_${name}`,
    value,
  ])
  const folder = '/var/lib/lab'
  return readServerConfiguration({
    ...environmentOf(serverSettings(folder)),
    ...(Object.fromEntries(others) as Record<string, string>),
  })
}

describe('how much is kept', () => {
  it('is set by days and by size, of slices and of nodes', () => {
    const set = { KEEP_SLICE_DAYS: '30', KEEP_SLICE_GIB: '1', KEEP_NODE_DAYS: '90' }
    expect(read(set).keep).toEqual({
      ...{ sliceDays: 30, sliceBytes: 1024 ** 3 },
      ...{ nodeDays: 90, nodeBytes: 64 * 1024 ** 3 },
    })
  })

  it.each([
    ['KEEP_SLICE_DAYS', '0'],
    ['KEEP_NODE_DAYS', '36501'],
    ['KEEP_SLICE_GIB', '-1'],
    ['KEEP_NODE_GIB', '0.5'],
    ['KEEP_NODE_GIB', 'all'],
  ])('is never nothing and never without a bound: %s=%s is refused in words', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(
      new RegExp(`COMMUNITY_LAB_SERVER_${name}.*a whole number from 1 to`, 'u'),
    )
  })
})
