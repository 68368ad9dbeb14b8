import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attackWithBombs } from './bombs.ts'
import { attackWithFills } from './fills.ts'
import { attackWithFloods } from './floods.ts'
import { attackWithPackets } from './network.ts'
import { attackBeside, nothingNoticed, startHostileWorld, type HostileWorld } from './world.ts'

/**
 * Attacks of a sliver on its node, all in one world, because a testbed takes seconds to start. Each file beside this one exports a function that
 * defines the tests of one kind of attack. An attack leaves the world as it found it.
 */
describe('a hostile sliver', () => {
  let world: HostileWorld

  beforeAll(async () => {
    world = await startHostileWorld()
  })

  afterAll(async () => {
    await world[Symbol.asyncDispose]()
  })

  it('is not noticed as long as it does nothing', async () => {
    const seen = await attackBeside(world, async () => {
      await world.hostile.sh`sleep 2`
    })
    expect(seen).toEqual(nothingNoticed(seen))
    expect(seen.written).toBeGreaterThan(10)
  })

  it.runIf(process.getuid?.() === 0)(
    'has user ids that no other sliver of this host has, also not one of the same number on another node',
    async () => {
      const slivers = [...world.hostile.slivers, ...world.neighbour.slivers]
      const first = slivers.map(async (sliver) => {
        const { stdout } = await sliver.exec('cat /proc/self/uid_map')
        const [, outside] = stdout.trim().split(/\s+/u)
        return Number(outside)
      })
      expect(new Set(await Promise.all(first)).size).toBe(4)
      expect(Math.min(...(await Promise.all(first)))).toBeGreaterThan(0)
    },
  )

  describe('that floods its node with samples', () => attackWithFloods(() => world))
  describe('that fills what it can', () => attackWithFills(() => world))
  describe('that sends what it should not', () => attackWithPackets(() => world))
  describe('that makes more than there is room for', () => attackWithBombs(() => world))
})
