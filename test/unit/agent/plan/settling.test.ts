import { nodeSetStates, sliceSetStates, type SliverTarget } from '@community-lab/contract'
import { expect, it } from 'vitest'
import type { Current } from '../../../../agent/src/plan/plan.ts'
import {
  describeWanted,
  noteFailure,
  stands,
  type Failure,
} from '../../../../agent/src/plan/failure.ts'
import type { Step } from '../../../../agent/src/plan/step.ts'
import type { NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import {
  aCurrent,
  applyStep,
  aSliverTarget,
  aStatus,
  aTarget,
  aTemplate,
  planFor,
  word,
} from './situation.ts'

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

const edits: Readonly<{
  interfaces: readonly SliverTarget['interfaces'][]
  resources: readonly SliverTarget['resources'][]
  templates: readonly SliverTarget['template'][]
}> = {
  interfaces: [[], [{ nr: 4, name: 'other0', type: 'public6' }]],
  resources: [[], [{ name: 'memory', req: 512 }]],
  templates: [aTemplate, { ...aTemplate, id: 2, image_sha256: 'b'.repeat(64) }],
}

function randomTarget(random: (below: number) => number): NodeWanted {
  const ids = ['1@1', '2@1', '3@1', '4@1', '5@1'].filter(() => random(3) > 0)
  const slivers = ids.map((id) =>
    aSliverTarget({
      id,
      set_state: pick(random, sliceSetStates, 'start'),
      instance_sn: random(3),
      slice_instance_sn: random(3),
      interfaces: pick(random, edits.interfaces, []),
      resources: pick(random, edits.resources, []),
      template: pick(random, edits.templates, null),
      ssh_authorized_keys: ['a', 'b', 'c'].slice(0, random(4)),
    }),
  )
  const states = [...nodeSetStates, 'production', 'production'] as const
  return aTarget(slivers, { set_state: pick(random, states, 'production'), boot_sn: random(4) })
}

/** Plan and apply until nothing is left to do. Each sliver keeps the configuration with which it was allocated until it is removed. */
function settle(target: NodeWanted, current: Current): { current: Current; rounds: number } {
  for (let rounds = 0; rounds < 5; rounds += 1) {
    const steps = planFor(target, current)
    expectDeployed(current, steps)
    if (steps.length === 0) return { current, rounds }
    current = steps.reduce(applyStep, current)
  }
  throw new Error(`it does not settle: ${JSON.stringify({ target, current })}`)
}

/** Expect that no step changes the configuration of a sliver that is on the node, unless another `instance_sn` removes it first. */
function expectDeployed({ slivers }: Current, steps: readonly Step[]): void {
  for (const { id, configuration, instanceSn } of slivers) {
    const own = steps.filter((step) => step.kind !== 'reboot' && step.id === id)
    if (own.some(({ kind }) => kind === 'remove')) continue
    for (const step of own)
      if ('target' in step) expect(frozen(step.target)).toEqual(frozen(configuration))
    expect(configuration?.instance_sn).toBe(instanceSn)
  }
}

function frozen(target: SliverTarget | null) {
  const { interfaces, resources, template, instance_sn } = target ?? aSliverTarget()
  return { interfaces, resources, template, instance_sn }
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

/** A node whose steps may fail, as its reconciler works on it. */
interface Walk {
  target: NodeWanted
  current: Current
  failures: Map<string, Failure>
  nowMs: number
}

/** Plan once, and do the steps of each sliver until one fails. Returns the steps that were done. */
function work(walk: Walk, fails: () => boolean): Step[] {
  const done: Step[] = []
  const stopped = new Set<string>()
  for (const step of planFor(walk.target, walk.current, walk.failures, walk.nowMs)) {
    if (step.kind !== 'reboot' && stopped.has(step.id)) continue
    if (step.kind === 'reboot' || !fails()) {
      walk.current = applyStep(walk.current, step)
      done.push(step)
      continue
    }
    stopped.add(step.id)
    const wanted = describeWanted(
      walk.target.node,
      walk.target.slivers.find(({ id }) => id === step.id),
    )
    const failed = { step: step.kind, error: { member: '', message: 'no' }, wanted }
    const failure = noteFailure(walk.failures.get(step.id), failed, walk.nowMs)
    walk.failures.set(step.id, failure)
  }
  return done
}

const longestDelayMs = 300_000

it('reaches whatever is wanted after any edits, failures and restarts of its agent, trying a failed step once per delay', () => {
  const random = createRandom(11)
  for (let count = 0; count < 150; count += 1) {
    const walk: Walk = { target: aTarget(), current: aCurrent(), failures: new Map(), nowMs: 0 }
    for (let event = 0; event < 12; event += 1) {
      if (random(3) === 0) walk.target = randomTarget(random)
      // An agent that is started again knows of no failure.
      if (random(6) === 0) walk.failures.clear()
      work(walk, () => random(3) === 0)
      // Without a change, a sliver whose step has failed is left alone until its delay has passed.
      const again = planFor(walk.target, walk.current, walk.failures, walk.nowMs)
      expect(again.filter((step) => step.kind !== 'reboot' && isWaiting(walk, step.id))).toEqual([])
      walk.nowMs += random(2_000)
    }
    walk.nowMs += longestDelayMs
    const done = [work(walk, () => false), work(walk, () => false)].flat()
    expect(planFor(walk.target, walk.current, walk.failures, walk.nowMs)).toEqual([])
    expectReached(walk.target, walk.current)
    // Each verb happens once for each sliver; an update is the only reason to remove before allocating.
    const words = done.filter((step) => step.kind !== 'authorize').map(word)
    expect(new Set(words).size).toBe(words.length)
  }
})

function isWaiting({ target, failures, nowMs }: Walk, id: string): boolean {
  const wanted = target.slivers.find((one) => one.id === id)
  const failure = failures.get(id)
  return stands(failure, describeWanted(target.node, wanted)) && failure.retryAtMs > nowMs
}

it('changes nothing when anything but the state, the keys or a counter is edited: a reset keeps what was deployed, and the next update counts', () => {
  const before = aSliverTarget()
  for (const edit of [
    { interfaces: [{ nr: 4, name: 'other0', type: 'public6' }] },
    { resources: [{ name: 'memory', req: 512 }] },
    { template: { ...aTemplate, id: 2, image_sha256: 'b'.repeat(64) } },
    { slice_name: 'renamed' },
  ] satisfies Partial<SliverTarget>[])
    for (const stage of ['allocated', 'deployed', 'started'] as const) {
      const current = aCurrent([aStatus({ stage, configuration: before })])
      const edited = { ...before, ...edit }
      const rest = { allocated: ['deploy', 'start'], deployed: ['start'], started: [] }[stage]
      const steps = planFor(aTarget([edited]), current)
      expect(steps.map(({ kind }) => kind)).toEqual(rest)
      for (const step of steps) expect(step).toMatchObject({ target: before })

      const reset = planFor(aTarget([{ ...edited, slice_instance_sn: 1 }]), current)
      expect(reset.map(word)).toEqual(['undeploy 1@1', 'deploy 1@1', 'start 1@1'])
      for (const step of reset.slice(1))
        expect(step).toMatchObject({ target: { ...before, slice_instance_sn: 1 } })

      const updated = planFor(aTarget([{ ...edited, instance_sn: 1 }]), current)
      expect(updated.map(word)).toEqual(['remove 1@1', 'allocate 1@1', 'deploy 1@1', 'start 1@1'])
      for (const step of updated.slice(1)) expect(step).toMatchObject({ target: edit })
    }
})

it('deploys a sliver of an agent that noted no configuration again as it is wanted', () => {
  const target = aSliverTarget({ slice_instance_sn: 1 })
  const steps = planFor(aTarget([target]), aCurrent([aStatus()]))
  expect(steps.slice(1)).toEqual([
    { kind: 'deploy', id: '1@1', target },
    { kind: 'start', id: '1@1', target },
  ])
})
