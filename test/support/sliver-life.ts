import type { SliverTarget } from '@community-lab/contract'
import { expect } from 'vitest'
import type { SliverStatus } from '../../agent/src/plan/observed.ts'

/** The slivers of a node, real or fake, as a test calls them. */
export interface LivingSlivers {
  step(name: 'allocate' | 'deploy' | 'start', target: SliverTarget): Promise<unknown>
  stop(id: string): Promise<unknown>
  undeploy(id: string, sliceInstanceSn: number): Promise<unknown>
  remove(id: string): Promise<unknown>
  authorize(id: string, keys: readonly string[]): Promise<unknown>
  list(): Promise<readonly SliverStatus[]>
  /** Return the code of the error with which a step fails. */
  codeOf(name: 'allocate' | 'deploy' | 'start', target: SliverTarget): Promise<string>
}

/** Check the contract that every implementation of slivers has for the steps of a sliver's life. The target is that of a sliver that never existed. */
export async function livesOneLife(slivers: LivingSlivers, target: SliverTarget): Promise<void> {
  const { id } = target
  const seen = async (): Promise<Partial<SliverStatus>> => {
    const found = (await slivers.list()).find((one) => one.id === id)
    return found ?? {}
  }
  for (const name of ['deploy', 'start'] as const)
    expect(await slivers.codeOf(name, target)).toBe('LAB_SLIVER_STAGE')

  await slivers.step('allocate', target)
  const allocated = await seen()
  expect(allocated).toMatchObject({ stage: 'allocated', templateSha256: null, pid: null })
  expect(await slivers.codeOf('start', target)).toBe('LAB_SLIVER_STAGE')
  await slivers.step('allocate', target)
  expect(await seen()).toEqual(allocated)

  await slivers.step('deploy', target)
  const deployed = await seen()
  const templateSha256 = target.template?.image_sha256 ?? null
  expect(deployed).toMatchObject({ nr: allocated.nr, stage: 'deployed', templateSha256, pid: null })
  expect(deployed.sshHostKey).toMatch(/^ssh-ed25519 /u)
  await slivers.step('deploy', target)
  expect(await seen()).toEqual(deployed)

  await slivers.step('start', target)
  const started = await seen()
  expect(started).toMatchObject({ stage: 'started', ended: null })
  expect([typeof started.pid, typeof started.startedOn]).toEqual(['number', 'string'])
  await slivers.step('start', target)
  expect(await seen()).toEqual(started)
  await slivers.authorize(id, [])
  expect(await seen()).toEqual({ ...started, sshAuthorizedKeys: [] })

  await slivers.stop(id)
  expect(await seen()).toMatchObject({ stage: 'deployed', pid: null, startedOn: null, ended: null })
  await slivers.stop(id)
  await slivers.step('start', target)
  const again = await seen()
  expect(again).toMatchObject({ stage: 'started', sshHostKey: started.sshHostKey })
  expect(again.pid).not.toBe(started.pid)

  // Whatever is wanted by now: a reset keeps the configuration with which it was allocated.
  for (let times = 0; times < 2; times++) await slivers.undeploy(id, 7)
  const reset = { stage: 'allocated', sliceInstanceSn: 7, templateSha256: null, sshHostKey: null }
  const { nr, interfaces, configuration } = allocated
  expect(await seen()).toMatchObject({ ...reset, pid: null, nr, interfaces, configuration })
  for (const name of ['deploy', 'start'] as const) await slivers.step(name, target)
  const remade = await seen()
  expect(remade).toMatchObject({ stage: 'started', nr, interfaces, templateSha256 })
  expect(remade.pid).not.toBe(again.pid)

  for (let times = 0; times < 2; times++) await slivers.remove(id)
  expect(await seen()).toEqual({})
  await slivers.stop(id)
}
