import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { FakeSlivers } from '../../../support/fake-slivers.ts'
import { livesOneLife } from '../../../support/sliver-life.ts'
import { aSliverTarget } from '../plan/situation.ts'

it('slivers in memory keep what real ones promise', async () => {
  const slivers = new FakeSlivers()
  const step = (name: 'allocate' | 'deploy' | 'start', target = aSliverTarget()) =>
    slivers[name](target)
  await livesOneLife(
    {
      step,
      stop: (id) => slivers.stop(id),
      undeploy: (id, sn) => slivers.undeploy(id, sn),
      remove: (id) => slivers.remove(id),
      authorize: (id, keys) => slivers.authorize(id, keys),
      list: () => slivers.list(),
      codeOf: (name, target) =>
        step(name, target).then(
          () => 'none',
          (error: unknown) => (LabError.is(error) ? error.code : String(error)),
        ),
    },
    aSliverTarget(),
  )
})

it('a sliver that ends by itself is told of', async () => {
  const slivers = new FakeSlivers()
  const told: string[] = []
  slivers.onEnded((id) => told.push(id))
  for (const name of ['allocate', 'deploy', 'start'] as const) await slivers[name](aSliverTarget())
  await slivers.end('1@1', 'it ended with exit code 1')
  expect(told).toEqual(['1@1'])
  expect(await slivers.list()).toMatchObject([
    { stage: 'deployed', pid: null, ended: { message: 'it ended with exit code 1' } },
  ])
})
