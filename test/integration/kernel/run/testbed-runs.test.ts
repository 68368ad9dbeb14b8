import { mkdtemp, rm } from 'node:fs/promises'
import { path, routes, type Run, type SliceWithSlivers } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Lab } from '../../../../kernel/src/lab.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../../server/world/testbed.ts'
import { openLab } from '../world/lab.ts'

// The runs of the testbed, by the library, at a real server.

let testbeds: Testbeds
let world: TestbedWorld
let lab: Lab
let dir: string
const ids: string[] = []

beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  dir = await mkdtemp('/var/tmp/kernel-')
  const url = await world.app.listen({ host: '127.0.0.1', port: 0 })
  lab = openLab({ dir, url }, world.red)
  // More slices than a page of runs.
  for (let index = 0; index < 22; index++) {
    const nodes = [index % 2 === 0 ? 'n1' : 'n2']
    const resources = [{ name: 'processes', req: 32 }]
    const body = { name: `s${index}`, template: 'tiny', nodes, resources }
    const made = await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const { slice } = made.json<SliceWithSlivers>()
    const run = { name: 'same', programs: [{ on: [1 + (index % 2)], script: 'true' }] }
    const url = path(routes.sliceRuns, { id: slice.id })
    ids.push((await world.ask(world.red, 'POST', url, { body: run })).json<Run>().id)
  }
})
afterAll(async () => {
  await lab.close()
  await testbeds[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

it('a run is found by its slice, however many slices have a newer one of its name', async () => {
  expect((await lab.runs.get('same', { slice: 's0' })).id).toBe(ids[0])
  expect((await lab.runs.get('same', { slice: 's21' })).id).toBe(ids[21])
})

it('a name that is not unique asks for the slice, and a run that is not there is named with it', async () => {
  await expect(lab.runs.get('same')).rejects.toMatchObject({ code: 'LAB_RUN_AMBIGUOUS' })
  await expect(lab.runs.get('other', { slice: 's3' })).rejects.toThrow(
    /^no run of the testbed .* name "other" in slice s3 \(the latest: same\)/u,
  )
  await expect(lab.runs.get('same', { slice: 'none' })).rejects.toMatchObject({
    code: 'LAB_NOT_FOUND',
  })
})

it('a name that no run can have, and two programs for a sliver, are refused before anything is sent', async () => {
  const slice = await lab.slices.get('s0')
  const program = { script: 'true' }
  await expect(slice.run({ name: 'my run', programs: [program] })).rejects.toThrow(
    /^the run's name is "my run"; expected letters, digits/u,
  )
  await expect(slice.run({ name: 'twice', programs: [program, program] })).rejects.toThrow(
    /^the programs of a run is two for the sliver on n1/u,
  )
})
