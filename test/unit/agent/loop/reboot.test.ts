import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createLoop } from '../../../../agent/src/loop/loop.ts'
import type { LoopStore } from '../../../../agent/src/loop/store.ts'
import type { FetchedTarget } from '../../../../agent/src/server/client.ts'
import type { Slivers } from '../../../../agent/src/sliver/slivers.ts'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { aStatus, aTarget } from '../plan/situation.ts'
import { emptyStore, loopOptions } from './parts.ts'
import { createTestClock } from './clock.ts'

const asked = 7
const fetched: FetchedTarget = {
  etag: null,
  document: {},
  wanted: aTarget([], { boot_sn: asked }),
}

/** How often the host is rebooted while an agent works with this store and a server that wants {@link asked} reboots. */
async function countReboots(
  store: Partial<LoopStore>,
  more: {
    readonly slivers?: Slivers
    readonly isHanging?: boolean
    /** What the first reboot waits for before it fails, after another one was asked for. */
    readonly failsAfter?: Promise<unknown>
  } = {},
): Promise<number> {
  let reboots = 0
  let wanted = fetched
  const clock = createTestClock()
  const loop = await createLoop(
    loopOptions({
      server: {
        getTarget: () => Promise.resolve({ changed: true, fetched: wanted }),
        putReport: () => Promise.resolve(null),
      },
      slivers: more.slivers ?? new FakeSlivers(),
      store: {
        ...emptyStore,
        ...store,
      },
      reboot: async (signal) => {
        reboots++
        if (more.isHanging === true) await once(signal, 'abort')
        if (more.failsAfter === undefined || reboots > 1) return
        const node = { ...fetched.wanted.node, boot_sn: asked + 1 }
        wanted = { ...fetched, wanted: { ...fetched.wanted, node } }
        loop.hint()
        await more.failsAfter
        throw new Error('the host is still up')
      },
      clock,
    }),
  )
  const end = new AbortController()
  const ended = loop.run(end.signal)
  await clock.pass(1_000)
  end.abort()
  await ended
  return reboots
}

it('reboots the host once when that is asked for', async () => {
  const loadBoot = () => Promise.resolve({ bootSn: asked - 1, lives: {} })
  expect(await countReboots({ loadBoot })).toBe(1)
})

it('does not reboot the host when that cannot be noted: it would again after each boot', async () => {
  const loadBoot = () => Promise.resolve({ bootSn: asked - 1, lives: {} })
  const saveBoot = () => Promise.reject(new Error('ENOSPC: no space left on device'))
  expect(await countReboots({ loadBoot, saveBoot })).toBe(0)
})

it('takes the reboots of before for done when its data folder is new', async () => {
  expect(await countReboots({})).toBe(0)
})

it('follows what is wanted of slivers while a reboot hangs, and ends when it is told to', async () => {
  const slivers = new FakeSlivers([aStatus({ stage: 'deployed' })])
  const loadBoot = () => Promise.resolve({ bootSn: asked - 1, lives: {} })
  expect(await countReboots({ loadBoot }, { slivers, isHanging: true })).toBe(1)
  expect(await slivers.list()).toEqual([])
})

it('tries a reboot that is asked for while another one is under way, should that fail', async () => {
  const loadBoot = () => Promise.resolve({ bootSn: asked - 1, lives: {} })
  const noted = Promise.withResolvers<undefined>()
  const saveBoot: LoopStore['saveBoot'] = ({ bootSn }) => {
    if (bootSn > asked) noted.resolve(undefined)
    return Promise.resolve()
  }
  const failsAfter = noted.promise.then(() => nextTurn())
  expect(await countReboots({ loadBoot, saveBoot }, { failsAfter })).toBe(2)
})
