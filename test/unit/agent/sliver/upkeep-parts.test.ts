import { expect, it } from 'vitest'
import { upkeepParts, type UpkeepSubject } from '../../../../agent/src/sliver/upkeep-parts.ts'
import { aSliverRecord } from './record.ts'

const running = [1, 2, 3].map((nr) => aSliverRecord({ id: `${nr}@1`, nr }))

/** Three slivers, the first of which is in trouble: its cgroups cannot be read, and its task fails. */
function subject(told: string[]): UpkeepSubject {
  return {
    host: {
      dataDir: '/',
      filter: { check: () => Promise.resolve(null) },
      forwarding: { ensure: () => Promise.resolve([]) },
      links: {
        inspect: () => Promise.resolve(new Map(running.map(({ nr }) => [nr, ['a route']]))),
        connect: () => Promise.resolve(),
      },
      cgroups: {
        limitAll: () => Promise.resolve(null),
        mend: (name) =>
          name === 'sliver-1' ? Promise.reject(new Error('EIO')) : Promise.resolve(['cpu.max']),
      },
    },
    probing: {
      found: {
        platform: null,
        capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
      },
      refreshIfDue: () => Promise.resolve(false),
    },
    slivers: {
      list: () => running,
      inTurn(id) {
        if (id === '1@1') return Promise.reject(new Error('EIO'))
        told.push(`${id} in turn`)
        return Promise.resolve()
      },
      cleanUpAll: () => Promise.resolve(),
      stopAll: () => Promise.resolve(),
    },
    readOffer: () => Promise.resolve([]),
    onSliverError: (id, error) => told.push(`${id}: ${String(error)}`),
    onCapabilities: () => undefined,
    now: () => new Date(0),
  }
}

it('looks after the limits of all other slivers when those of one cannot be looked after', async () => {
  const told: string[] = []
  const part = upkeepParts(subject(told)).find(({ name }) => name === 'limits')
  const findings = await part?.check(new AbortController().signal)
  expect(findings?.map(({ message }) => /sliver \S+/u.exec(message)?.[0])).toEqual([
    'sliver 2@1',
    'sliver 3@1',
  ])
  expect(told).toEqual(['1@1: Error: EIO'])
})

it('looks after the links of all other slivers when those of one cannot be looked after', async () => {
  const told: string[] = []
  const part = upkeepParts(subject(told)).find(({ name }) => name === 'links')
  await part?.check(new AbortController().signal)
  expect(told.sort()).toEqual(['1@1: Error: EIO', '2@1 in turn', '3@1 in turn'])
})
