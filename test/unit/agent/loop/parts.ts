import { lendsAll } from '@community-lab/contract'
import type { LoopOptions } from '../../../../agent/src/loop/loop.ts'
import type { LoopStore } from '../../../../agent/src/loop/store.ts'
import { createLending } from '../../../../agent/src/plan/lending.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'

/** A store of a new data folder: nothing is in it, and it keeps nothing. */
export const emptyStore: LoopStore = {
  loadTarget: () => Promise.resolve(null),
  saveTarget: () => Promise.resolve(),
  loadBoot: () => Promise.resolve(null),
  saveBoot: () => Promise.resolve(),
}

/** Return the options of a loop of node 1, which lends all and has nothing to tell, with those that a test gives. */
export function loopOptions(
  given: Partial<LoopOptions> & Pick<LoopOptions, 'server' | 'slivers' | 'clock'>,
): LoopOptions {
  return {
    poll: () => Promise.resolve(null),
    runs: { setTarget: () => undefined, look: () => undefined, reports: () => [] },
    store: emptyStore,
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
    owner: { setting: null, onChange: () => undefined },
    problems: createNodeProblems(),
    reboot: () => Promise.resolve(),
    pollMs: 60_000,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    ...given,
  }
}
