import { expect, it } from 'vitest'
import { createScheduler, type SliverWork } from '../../../../agent/src/executor/scheduler.ts'
import type { SliverStep } from '../../../../agent/src/plan/step.ts'
import { aSliverTarget } from '../plan/situation.ts'

const step = (kind: 'allocate' | 'deploy' | 'start', id: string): SliverStep => ({
  kind,
  id,
  target: aSliverTarget({ id }),
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
  scheduler.offer([work('1@1', [stop('1@1')]), work('2@1', up('2@1'))])
  scheduler.offer([work('1@1', [stop('1@1')]), work('3@1', up('3@1'))])
  await end('1@1')
  expect(begun).toEqual(['stop 1@1', 'allocate 3@1'])
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
