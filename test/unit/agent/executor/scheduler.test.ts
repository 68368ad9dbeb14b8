import { expect, it } from 'vitest'
import { createScheduler, type SliverWork } from '../../../../agent/src/executor/scheduler.ts'
import type { SliverStep } from '../../../../agent/src/plan/step.ts'
import { aSliverTarget } from '../plan/situation.ts'

const step = (kind: 'allocate' | 'deploy' | 'start', id: string): SliverStep => ({
  kind,
  id,
  target: aSliverTarget({ id }),
  sliverMacPrefix: 0x06ab,
})
const stop = (id: string): SliverStep => ({ kind: 'stop', id, why: 'set_state' })
const work = (id: string, steps: readonly SliverStep[]): SliverWork => ({ id, wanted: '', steps })
const up = (id: string): SliverStep[] => [
  step('allocate', id),
  step('deploy', id),
  step('start', id),
]

/** A scheduler whose steps end when the test says so. */
function aScheduler(width: number) {
  const open = new Map<string, (mayGoOn: boolean) => void>()
  const begun: string[] = []
  const idle: string[] = []
  const scheduler = createScheduler({
    width,
    runStep({ kind, id }) {
      begun.push(`${kind} ${id}`)
      const { promise, resolve } = Promise.withResolvers<boolean>()
      open.set(id, resolve)
      return promise
    },
    onIdle: (id) => idle.push(id),
  })
  const end = async (id: string, mayGoOn = true): Promise<void> => {
    open.get(id)?.(mayGoOn)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { scheduler, begun, idle, end }
}

it("runs a sliver's steps in order, and several slivers at once", async () => {
  const { scheduler, begun, idle, end } = aScheduler(2)
  scheduler.offer([work('1@1', up('1@1')), work('2@1', up('2@1')), work('3@1', up('3@1'))])
  expect(begun).toEqual(['allocate 1@1', 'allocate 2@1'])
  await end('1@1')
  await end('1@1')
  expect(begun.slice(2)).toEqual(['deploy 1@1', 'start 1@1'])
  await end('1@1')
  expect(begun.slice(4)).toEqual(['allocate 3@1'])
  expect(idle).toEqual(['1@1'])
})

it('ends a sliver at the step that failed, and no other', async () => {
  const { scheduler, begun, idle, end } = aScheduler(2)
  scheduler.offer([work('1@1', up('1@1')), work('2@1', up('2@1'))])
  await end('1@1', false)
  await end('2@1')
  expect(begun).toEqual(['allocate 1@1', 'allocate 2@1', 'deploy 2@1'])
  expect(idle).toEqual(['1@1'])
})

it('goes on when a new plan, from before or after the step under way, says the same', async () => {
  for (const again of [up('1@1'), up('1@1').slice(1)]) {
    const { scheduler, begun, end } = aScheduler(2)
    scheduler.offer([work('1@1', up('1@1'))])
    scheduler.offer([work('1@1', again)])
    await end('1@1')
    expect(begun).toEqual(['allocate 1@1', 'deploy 1@1'])
  }
})

it('finishes the step under way and drops the rest when something else is wanted', async () => {
  for (const other of [[stop('1@1')], []]) {
    const { scheduler, begun, idle, end } = aScheduler(2)
    scheduler.offer([work('1@1', up('1@1'))])
    scheduler.offer(other.length === 0 ? [] : [work('1@1', other)])
    expect(idle).toEqual([])
    await end('1@1')
    expect([begun, idle]).toEqual([['allocate 1@1'], ['1@1']])
  }
})

it('replaces what waits by what is offered last', async () => {
  const { scheduler, begun, end } = aScheduler(1)
  scheduler.offer([work('1@1', [step('start', '1@1')]), work('2@1', up('2@1'))])
  scheduler.offer([work('1@1', [step('start', '1@1')]), work('3@1', up('3@1'))])
  await end('1@1')
  expect(begun).toEqual(['start 1@1', 'allocate 3@1'])
})

it('starts nothing more when it is drained, and waits for what runs', async () => {
  const { scheduler, begun, end } = aScheduler(1)
  scheduler.offer([work('1@1', up('1@1')), work('2@1', up('2@1'))])
  const drained = scheduler.drain()
  await end('1@1')
  await drained
  expect(begun).toEqual(['allocate 1@1'])
  expect(scheduler.isBusy('1@1')).toBe(false)
})

/** A scheduler of whose steps the signals are seen. */
function aWatchedScheduler(width: number) {
  const signals = new Map<string, AbortSignal>()
  const scheduler = createScheduler({
    width,
    runStep({ kind, id }, _work, signal) {
      signals.set(`${kind} ${id}`, signal)
      return new Promise<boolean>(() => undefined)
    },
    onIdle: () => undefined,
  })
  return { scheduler, signals, isAborted: (step: string) => signals.get(step)?.aborted }
}

it('aborts a step that is not wanted any more, and none that the new plan begins with too', () => {
  const { scheduler, isAborted } = aWatchedScheduler(3)
  const deploying = ['1@1', '2@1', '3@1'].map((id) => work(id, [step('deploy', id)]))
  scheduler.offer(deploying)
  const changed = { ...step('deploy', '3@1'), target: aSliverTarget({ id: '3@1', slice_id: 9 }) }
  scheduler.offer([work('2@1', [stop('2@1')]), work('3@1', [changed])])
  expect(['1@1', '2@1', '3@1'].map((id) => isAborted(`deploy ${id}`))).toEqual([true, true, false])
})

it('stops and removes slivers while as many as it may are being made', () => {
  const { scheduler, signals } = aWatchedScheduler(1)
  scheduler.offer([work('1@1', up('1@1')), work('2@1', up('2@1')), work('3@1', [stop('3@1')])])
  expect([...signals.keys()]).toEqual(['allocate 1@1', 'stop 3@1'])
})

it('plans again between the end of a sliver and what follows it, for making waits its turn', async () => {
  const { scheduler, begun, idle, end } = aScheduler(1)
  scheduler.offer([work('1@1', up('1@1')), work('2@1', [stop('2@1'), ...up('2@1')])])
  await end('2@1')
  expect([begun, idle]).toEqual([['allocate 1@1', 'stop 2@1'], ['2@1']])
})

it('ends any number of slivers at once, for each of them mostly waits for its programs', () => {
  const { scheduler, begun } = aScheduler(2)
  const ids = Array.from({ length: 50 }, (_, index) => `${index}@1`)
  scheduler.offer(ids.map((id) => work(id, [stop(id)])))
  expect(begun).toEqual(ids.map((id) => `stop ${id}`))
})
