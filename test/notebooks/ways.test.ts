import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readNotebook } from '../support/notebook.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'
import { notebooks } from '../support/ways/notebooks.ts'
import { communityLabRun, ways } from '../support/ways/ways.ts'

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

const named = notebooks.map((each) => [each.name, each] as const)

describe.for(named)('the notebook %s', ([name, { file, allWays, parameters, check }]) => {
  // test/notebooks/first-slice.test.ts runs that notebook by `community-lab run`, and looks closer.
  const own = allWays ? ways : [communityLabRun]
  const wanted = own.filter((way) => way !== communityLabRun || name !== '01-first-slice.ipynb')

  it.for(wanted.map((way) => [way.name, way] as const))('runs by %s', async ([, way]) => {
    const output = join(folder, `${ways.indexOf(way)}-${name}`)
    const { code, printed } = await way.run({ testbed, notebook: file, output, parameters })
    expect([code, printed]).toEqual([0, expect.any(String)])
    const executed = await readNotebook(output)
    const outputs = executed.cells.flatMap((cell) => cell.outputs ?? [])
    expect(outputs.filter(({ output_type: type }) => type === 'error')).toEqual([])
    check(executed, way.givesParameters && Object.keys(parameters).length > 0)
  })
})
