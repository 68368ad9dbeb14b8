// @ts-check
import { defineConfig } from 'vitest/config'

const names = ['unit', 'types', 'integration', 'e2e', 'notebooks', 'ui']

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
    ...options,
  },
})

/** Projects: what each may touch is written in test/README.md. */
export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('types', { testTimeout: 60_000 }),
      // These wait for processes more than they compute: several at once, also on two cores.
      project('integration', { testTimeout: 60_000, hookTimeout: 120_000, maxWorkers: 3 }),
      project('e2e', { testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false }),
      project('notebooks', { testTimeout: 300_000, hookTimeout: 180_000, fileParallelism: false }),
      project('ui', { testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false }),
    ],
  },
})
