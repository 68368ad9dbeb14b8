import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readNotebook } from '../notebook.ts'
import { startTestbed, type RunningTestbed } from '../testbed.ts'
import { notebooks, type TestedNotebook } from './notebooks.ts'
import type { Way, WayOptions } from './ways.ts'

/**
 * Define the tests of a way: it runs each notebook that runs in all ways. Each way has its own file and testbed, so that the ways run in parallel: the first
 * notebook measures for 40 seconds, and needs little processor time meanwhile.
 */
export function testWay(way: Way): void {
  let testbed: RunningTestbed
  let folder: string

  beforeAll(async () => {
    testbed = await startTestbed({ nodes: 5 })
    folder = await mkdtemp(join(tmpdir(), 'cl-ways-'))
  })

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
    await testbed[Symbol.asyncDispose]()
  })

  const chosen = notebooks.filter(({ allWays }) => allWays)
  it.for(chosen.map((each) => [each.name, each] as const))(
    `runs the notebook %s by ${way.name}`,
    ([name, notebook]) => runBy(way, notebook, { testbed, output: join(folder, name) }),
  )
}

/** Run a notebook in a way, and check the outputs of its cells. */
export async function runBy(
  way: Way,
  { file, parameters, check }: TestedNotebook,
  where: Pick<WayOptions, 'testbed' | 'output'>,
): Promise<void> {
  const { code, printed } = await way.run({ ...where, notebook: file, parameters })
  expect([code, printed]).toEqual([0, expect.any(String)])
  const executed = await readNotebook(where.output)
  const outputs = executed.cells.flatMap((cell) => cell.outputs ?? [])
  expect(outputs.filter(({ output_type: type }) => type === 'error')).toEqual([])
  check(executed, way.givesParameters && Object.keys(parameters).length > 0)
}
