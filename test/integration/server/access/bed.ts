import { afterAll, beforeAll } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { peopleOf, type People } from './people.ts'

/** A testbed that the tests of a file share. Each test has users and groups of its own. */
export interface Bed {
  /** Where other testbeds come from. */
  readonly testbeds: Testbeds
  readonly world: TestbedWorld
  readonly people: People
}

/** Start a testbed before the tests of a file, give it to them, and end it after them. */
export function useTestbed(take: (bed: Bed) => void): void {
  const held = new AsyncDisposableStack()
  beforeAll(async () => {
    const testbeds = held.use(await startTestbeds('embedded'))
    const world = held.use(await testbeds.start())
    take({ testbeds, world, people: peopleOf(world) })
  })
  afterAll(() => held.disposeAsync())
}
