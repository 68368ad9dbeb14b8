import type { NodeReport } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createLoop } from '../../../../agent/src/loop/loop.ts'
import type { KnownOwnerSetting, OwnerSetting } from '../../../../agent/src/plan/owner.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aStatus, aTarget } from '../plan/situation.ts'
import { emptyStore, loopOptions } from './parts.ts'
import { createTestClock } from './clock.ts'

const aSetting = (state: OwnerSetting['state']): OwnerSetting => ({
  ...{ state, reason: 'moving house', by: 'ada', since: '2026-05-04T12:00:00.000Z' },
})

it('stops and starts slivers as its owner says, also while no server answers', async () => {
  const clock = createTestClock()
  const slivers = new FakeSlivers([aStatus()])
  const reports: NodeReport[] = []
  let isServerThere = false
  let setting: KnownOwnerSetting = null
  let tell = (): void => undefined
  const loop = await createLoop(
    loopOptions({
      server: {
        getTarget: () => Promise.reject(new Error('no server')),
        putReport(report) {
          if (!isServerThere) return Promise.reject(new Error('no server'))
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
      owner: {
        get setting() {
          return setting
        },
        onChange: (listener) => void (tell = listener),
      },
      clock,
    }),
  )
  const end = new AbortController()
  const ended = loop.run(end.signal)
  const stages = async () => (await slivers.list()).map(({ stage }) => stage)
  const set = async (next: KnownOwnerSetting) => {
    setting = next
    tell()
    await clock.pass(2_000)
  }
  await clock.pass(1_000)
  expect(await stages()).toEqual(['started'])
  await set(aSetting('safe'))
  expect(await stages()).toEqual(['deployed'])
  isServerThere = true
  await clock.pass(120_000)
  expect(reports.at(-1)).toMatchObject({ state: 'safe', errors: [{ member: '/set_state' }] })
  expect(reports.at(-1)?.errors[0]?.message).toContain('moving house')
  await set(aSetting('failure'))
  expect(await stages()).toEqual([])
  await set(aSetting('production'))
  expect(await stages()).toEqual(['started'])
  await clock.pass(120_000)
  expect(reports.at(-1)).toMatchObject({ state: 'production', errors: [] })
  end.abort()
  await ended
})
