// @ts-check
import { defineConfig } from 'vitest/config'

const names = ['unit', 'types', 'integration', 'e2e', 'e2e-alone', 'notebooks', 'ui']

/** A test that has not ended after this time hangs. No time here or in a test measures speed: on the slowest machine each test needs less. */
const hangMs = 240_000

/**
 * One project of tests. Projects run one after another: vitest refuses to run those together that differ in their number of workers.
 *
 * @param {string} name @param {object} [options] what differs from the others
 */
const project = (name, options = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    environment: 'node',
    sequence: { groupOrder: names.indexOf(name) },
    testTimeout: hangMs,
    hookTimeout: hangMs,
    expect: { poll: { timeout: 60_000, interval: 20 } },
    ...options,
  },
})

/** Tests of the virtual testbed that need the machine for themselves: they count what a sliver takes from others. */
const alone = ['test/e2e/hostile/**/*.test.ts', 'test/e2e/machines.test.ts']

/** Projects: what each may touch is written in test/README.md. Most tests wait more than they compute: several files run at once, also on two cores. */
export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('types'),
      project('integration', { maxWorkers: 4, globalSetup: 'test/support/run-folder.ts' }),
      project('e2e', { exclude: alone, maxWorkers: 3 }),
      project('e2e-alone', { include: alone, maxWorkers: 1 }),
      // Each file is a way to run notebooks, and measures for 40 seconds.
      project('notebooks', { maxWorkers: 5 }),
      project('ui', { maxWorkers: 2 }),
    ],
  },
})
