import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Run } from '@community-lab/contract'
import type { Lab } from '../../../../kernel/src/lab.ts'
import { openLab } from '../world/lab.ts'
import { aRun } from '../world/runs.ts'
import { startWorld, type World } from '../world/testbed.ts'

let world: World
let lab: Lab
beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world)
})
afterAll(async () => {
  await lab.close()
  await world.close()
})

function start(name: string): Run {
  const run = aRun(name)
  world.runs.set(run.id, run)
  return run
}

describe('a run of the testbed', () => {
  it.each(['rows', 'done'] as const)(
    'that is removed with its slice ends %s with an error',
    async (call) => {
      const { id, name } = start(call)
      const run = await lab.runs.get(name)
      const end = call === 'done' ? run.done() : run.rows('tick').take(1)
      const failed = expect(end).rejects.toMatchObject({ code: 'LAB_NOT_FOUND' })
      world.runs.delete(id)
      world.breakStreams()
      await failed
    },
  )

  it('that is not on a sliver says where it is, also where its slice has that sliver', async () => {
    start('onOne')
    const run = await lab.runs.get('onOne')
    const node = (await lab.nodes.find()).find(({ name }) => name === 'n2')
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    for (const [which, found] of [
      ['n2', 'n2'],
      [node ?? '', 'n2'],
      [slice.sliver('n2'), slice.sliver('n2').id],
    ] as const)
      await expect(run.output(which)).rejects.toMatchObject({
        message: `which is ${JSON.stringify(found)}; expected a sliver or node that run onOne is on: n1`,
      })
    await expect(run.output(undefined as never)).rejects.toThrow('the sliver is undefined')
  })

  it('takes only variables that a shell can have', async () => {
    const slice = await lab.slices.ensure('first', { template: 'tiny', nodes: ['n1', 'n2'] })
    const programs = [{ script: 'true', env: { 'a-b': 'x' } }]
    await expect(slice.run({ name: 'one', programs })).rejects.toThrow(
      'letters, digits and underscores',
    )
  })
})
