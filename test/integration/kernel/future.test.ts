import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Lab } from '../../../kernel/src/lab.ts'
import { openLab } from './world/lab.ts'
import { startWorld, type World } from './world/testbed.ts'

// A newer server, which sends more than this kernel knows.

let world: World
let lab: Lab

beforeAll(async () => {
  world = await startWorld(2, modernize)
  lab = openLab(world)
})
afterAll(async () => {
  await lab.close()
  await world.close()
})

/** Add new members to every object, and a new value to every enumeration that a kernel need not understand. */
function modernize(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(modernize)
  if (typeof document !== 'object' || document === null) return document
  const members = Object.entries(document).map(([name, value]) => [name, renew(name, value)])
  return { ...Object.fromEntries(members), hologram: { depth: 3 }, [`x-${members.length}`]: null }
}

const newValues: Readonly<Record<string, string>> = {
  arch: 'riscv128',
  backend: 'wireguard',
  set_state: 'hibernate',
  effective_set_state: 'hibernate',
}

function renew(name: string, value: unknown): unknown {
  const newer = newValues[name]
  if (newer !== undefined && value !== null) return newer
  // A map from names to texts. Its names are the user's.
  if (name === 'properties') return value
  if (name === 'interfaces' && Array.isArray(value) && value.length > 0)
    return [...value.map(modernize), modernize({ ...value[0], nr: 9, type: 'quantum' })]
  return modernize(value)
}

it('reads nodes, slices and slivers', async () => {
  const nodes = await lab.nodes.find()
  expect(nodes.map(({ name, arch }) => [name, arch])).toEqual([
    ['n1', 'riscv128'],
    ['n2', 'riscv128'],
  ])
  const slices = await lab.slices.list()
  expect(slices.map(({ name, slivers }) => [name, slivers.length])).toEqual([['first', 2]])
})

it('waits through events and states that it does not know', async () => {
  world.change(1, { state: 'deployed' })
  const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
  const waiting = slice.started({ timeoutMs: 10_000 })
  world.tell({ kind: 'comet', action: 'observed', object_id: 'c/1', object: { tail_m: 1e9 } })
  world.tell({ kind: 'sliver', action: 'hibernated', object_id: '1@2', object: { shape: 'new' } })
  world.change(1, { state: 'thawing' as 'started' })
  world.change(1, { state: 'started' })
  await waiting
  expect(slice.sliver('n2').address).toBe('::1')
  expect((await slice.sh`echo through`).ok).toBe(true)
})

it('runs programs and reads their rows', async () => {
  const slice = await lab.slices.get('first')
  const run = await slice.run('future', {
    script: 'echo "step i=1 run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure',
  })
  expect((await run.done()).ok).toBe(true)
  expect(await run.sql`select i from step`).toHaveLength(2)
})
