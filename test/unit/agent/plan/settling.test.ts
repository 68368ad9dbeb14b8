import { nodeSetStates, sliceSetStates } from '@community-lab/contract'
import { expect, it } from 'vitest'
import type { Current } from '../../../../agent/src/plan/plan.ts'
import type { NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import { aCurrent, applyStep, aSliverTarget, aTarget, planFor } from './situation.ts'

/** A small generator of the same numbers every time. Source: mulberry32. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function pick<T>(random: (below: number) => number, choices: readonly T[], otherwise: T): T {
  return choices[random(choices.length)] ?? otherwise
}

function randomTarget(random: (below: number) => number): NodeWanted {
  const ids = ['1@1', '2@1', '3@1', '4@1', '5@1'].filter(() => random(3) > 0)
  const slivers = ids.map((id) =>
    aSliverTarget({
      id,
      set_state: pick(random, sliceSetStates, 'start'),
      instance_sn: random(3),
      slice_instance_sn: random(3),
      ssh_authorized_keys: ['a', 'b', 'c'].slice(0, random(4)),
    }),
  )
  const states = [...nodeSetStates, 'production', 'production'] as const
  return aTarget(slivers, { set_state: pick(random, states, 'production'), boot_sn: random(4) })
}

/** Plan and apply until nothing is left to do. */
function settle(target: NodeWanted, current: Current): { current: Current; rounds: number } {
  for (let rounds = 0; rounds < 5; rounds += 1) {
    const steps = planFor(target, current)
    if (steps.length === 0) return { current, rounds }
    current = steps.reduce(applyStep, current)
  }
  throw new Error(`it does not settle: ${JSON.stringify({ target, current })}`)
}

function expectReached(target: NodeWanted, current: Current): void {
  const { set_state: setState, boot_sn: bootSn } = target.node
  expect(current.boot.bootSn).toBe(bootSn)
  const found = new Map(current.slivers.map((sliver) => [sliver.id, sliver]))
  expect(found.size).toBe(current.slivers.length)
  if (setState === 'safe')
    expect(current.slivers.some((one) => one.stage === 'started')).toBe(false)
  if (setState === 'debug' || setState === 'failure') expect(current.slivers).toEqual([])
  if (setState !== 'production') return
  const wanted = target.slivers.filter((sliver) => sliver.set_state !== 'register')
  expect([...found.keys()].sort()).toEqual(wanted.map((sliver) => sliver.id).sort())
  for (const sliver of wanted) {
    const status = found.get(sliver.id)
    expect(status?.stage).toBe(sliver.set_state === 'start' ? 'started' : 'deployed')
    expect(status?.sshAuthorizedKeys).toEqual(sliver.ssh_authorized_keys)
    expect(status?.instanceSn).toBeGreaterThanOrEqual(sliver.instance_sn)
    expect(status?.sliceInstanceSn).toBeGreaterThanOrEqual(sliver.slice_instance_sn)
  }
}

it('reaches whatever is wanted, in two rounds at most (a reboot is one of them), and then plans nothing', () => {
  const random = createRandom(42)
  for (let walk = 0; walk < 100; walk += 1) {
    let current = aCurrent()
    for (let change = 0; change < 10; change += 1) {
      const target = randomTarget(random)
      const settled = settle(target, current)
      expect(settled.rounds).toBeLessThanOrEqual(2)
      expectReached(target, settled.current)
      current = settled.current
    }
  }
})

it('reaches it from any point at which it was interrupted', () => {
  const random = createRandom(7)
  for (let walk = 0; walk < 300; walk += 1) {
    let current = aCurrent()
    for (let change = 0; change < 4; change += 1) {
      const steps = planFor(randomTarget(random), current)
      current = steps.slice(0, random(steps.length + 1)).reduce(applyStep, current)
    }
    const target = randomTarget(random)
    expectReached(target, settle(target, current).current)
  }
})
