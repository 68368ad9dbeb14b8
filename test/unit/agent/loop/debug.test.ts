import type { NodeReport } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createLoop } from '../../../../agent/src/loop/loop.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aStatus, aTarget } from '../plan/situation.ts'
import { emptyStore, loopOptions } from './parts.ts'
import { createTestClock } from './clock.ts'

it('a node whose own check fails is in debug without its slivers, says why, and makes them again once it is right', async () => {
  const clock = createTestClock()
  const slivers = new FakeSlivers([aStatus()])
  const reports: NodeReport[] = []
  let diskMiB = 500
  const loop = await createLoop(
    loopOptions({
      server: {
        getTarget: () => Promise.resolve({ changed: false }),
        putReport(report) {
          reports.push(report)
          return Promise.resolve(null)
        },
      },
      slivers,
      store: {
        ...emptyStore,
        loadTarget: () => Promise.resolve({ etag: null, document: {}, wanted: aTarget() }),
        loadBoot: () => Promise.resolve({ bootSn: 0, lives: {} }),
      },
      readOffer: () =>
        Promise.resolve([{ name: 'disk', total: diskMiB, max_req: diskMiB, dflt_req: diskMiB }]),
      clock,
    }),
  )
  const end = new AbortController()
  const ended = loop.run(end.signal)
  const stages = async () => (await slivers.list()).map(({ stage }) => stage)
  await clock.pass(1_000)
  expect([await stages(), reports.at(-1)?.state]).toEqual([['started'], 'production'])

  // The device's disk is not the one that it was.
  diskMiB = 0
  await clock.pass(10_000)
  expect(await stages()).toEqual([])
  expect(reports.at(-1)).toMatchObject({ state: 'debug', errors: [{ member: '/resources/disk' }] })
  expect(reports.at(-1)?.errors[0]?.message).toContain('0 MiB of disk')

  diskMiB = 500
  await clock.pass(10_000)
  expect(await stages()).toEqual(['started'])
  expect(reports.at(-1)).toMatchObject({ state: 'production', errors: [] })
  end.abort()
  await ended
})
