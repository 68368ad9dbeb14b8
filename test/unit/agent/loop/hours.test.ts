import { lendsAll, type NodeReport } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createLoop, type LoopOptions } from '../../../../agent/src/loop/loop.ts'
import { createLending } from '../../../../agent/src/plan/lending.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aTarget } from '../plan/situation.ts'
import { loopOptions } from './parts.ts'
import { createTestClock, type TestClock } from './clock.ts'

const hourMs = 3600_000

async function startLoop(
  options: Pick<LoopOptions, 'server' | 'slivers' | 'problems'> & { readonly clock: TestClock },
) {
  const { clock } = options
  const loop = await createLoop(
    loopOptions({
      ...options,
      lending: createLending({
        device: lendsAll,
        timeZone: 'UTC',
        // The clock begins at noon.
        now: () => new Date(12 * hourMs + clock.nowMs()),
      }),
      pollMs: 600_000,
    }),
  )
  const end = new AbortController()
  return { end, ended: loop.run(end.signal) }
}

it('slivers run during the hours that the owner lends, and at no other, also while the server is away', async () => {
  const clock = createTestClock()
  const slivers = new FakeSlivers()
  const reports: NodeReport[] = []
  const lent = { ...lendsAll, hours: ['22:00-06:00'] }
  const fetched = { etag: null, document: {}, wanted: { ...aTarget(), lends: lent } }
  let isServerThere = true
  const away = () => Promise.reject(new Error('the server is away'))
  const { end, ended } = await startLoop({
    clock,
    slivers,
    problems: createNodeProblems(),
    server: {
      getTarget: () => (isServerThere ? Promise.resolve({ changed: true, fetched }) : away()),
      putReport(report) {
        if (!isServerThere) return away()
        reports.push(report)
        return Promise.resolve(null)
      },
    },
  })
  const stages = async () => (await slivers.list()).map(({ stage }) => stage)
  await clock.pass(hourMs)
  expect(await stages()).toEqual(['deployed'])
  expect(reports.at(-1)?.lending).toMatchObject({ is_open: false, opens: 'thu 22:00' })
  expect(reports.at(-1)?.slivers[0]?.errors).toMatchObject([{ member: '/set_state' }])
  isServerThere = false
  await clock.pass(10 * hourMs)
  expect(await stages()).toEqual(['started'])
  await clock.pass(8 * hourMs)
  expect(await stages()).toEqual(['deployed'])
  isServerThere = true
  await clock.pass(hourMs)
  expect(reports.at(-1)).toMatchObject({ lending: { is_open: false, opens: 'fri 22:00' } })
  end.abort()
  await ended
})

it('slivers are held to what the node lends now, also when that fails at first', async () => {
  const clock = createTestClock()
  const slivers = new FakeSlivers()
  let attempts = 0
  slivers.lend = () => {
    attempts += 1
    return attempts === 1 ? Promise.reject(new Error('EMFILE')) : Promise.resolve()
  }
  const wanted = { ...aTarget(), lends: { ...lendsAll, rate_mbps: 5 } }
  const problems = createNodeProblems()
  const fetched = { etag: '"1"', document: {}, wanted }
  const { end, ended } = await startLoop({
    clock,
    slivers,
    problems,
    server: {
      getTarget: (etag) =>
        Promise.resolve(etag === null ? { changed: true, fetched } : { changed: false }),
      putReport: () => Promise.resolve(null),
    },
  })
  await clock.pass(hourMs)
  expect(attempts).toBe(2)
  expect(problems.list()).toEqual([])
  end.abort()
  await ended
})
