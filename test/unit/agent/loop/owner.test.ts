import { lendsAll, type NodeReport } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createLoop } from '../../../../agent/src/loop/loop.ts'
import { createLending } from '../../../../agent/src/plan/lending.ts'
import type { KnownOwnerSetting, OwnerSetting } from '../../../../agent/src/plan/owner.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aStatus, aTarget } from '../plan/situation.ts'
import { createTestClock } from './clock.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }
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
  const loop = await createLoop({
    server: {
      getTarget: () => Promise.reject(new Error('no server')),
      putReport(report) {
        if (!isServerThere) return Promise.reject(new Error('no server'))
        reports.push(report)
        return Promise.resolve(null)
      },
    },
    poll: () => Promise.resolve(null),
    slivers,
    store: {
      loadTarget: () => Promise.resolve({ etag: null, document: {}, wanted: aTarget() }),
      saveTarget: () => Promise.resolve(),
      loadBoot: () => Promise.resolve({ bootSn: 0, lives: {} }),
      saveBoot: () => Promise.resolve(),
    },
    facts: {
      softVersion: '1',
      arch: 'x86_64',
      publicPrefix: null,
      capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
    },
    identity: { id: 1, mgmtPrefix: 'fd65:fc41:c50f::/48' },
    readOffer: () => Promise.resolve([]),
    lending: createLending({ device: lendsAll, timeZone: 'UTC', now: () => new Date(0) }),
    readErrors: () => [],
    owner: {
      get setting() {
        return setting
      },
      onChange: (listener) => void (tell = listener),
    },
    problems: createNodeProblems(),
    reboot: () => Promise.resolve(),
    pollMs: 60_000,
    clock,
    log,
  })
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
