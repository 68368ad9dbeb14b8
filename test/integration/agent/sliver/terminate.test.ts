import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readlink } from 'node:fs/promises'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import {
  identifyProcess,
  isAlive,
  stateOf,
  type ProcessIdentity,
} from '../../../../agent/src/sliver/host/process.ts'
import { holdNamespace } from '../../../../agent/src/sliver/host/namespace.ts'
import { terminate } from '../../../../agent/src/sliver/host/terminate.ts'
import { aFrozenDisk } from './world/frozen-disk.ts'

const { signal } = new AbortController()
const goesOn = { signal, ending: signal }
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A PID namespace whose first process starts a program and says so. */
async function aNamespace(program: string): Promise<ProcessIdentity> {
  const script = `${program} & echo on; while :; do wait; sleep 1; done`
  const flags = ['--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('unshare', [...flags, 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  ends.push(() => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout }), 'line')
  const children = await readFile(`/proc/${child.pid ?? 0}/task/${child.pid ?? 0}/children`, 'utf8')
  const first = identifyProcess(Number(children.trim()))
  if (first === null) throw new Error('it did not begin')
  return first
}

/** The states of the children of a namespace's first process. */
async function statesIn({ pid }: ProcessIdentity): Promise<readonly (string | null)[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children
    .trim()
    .split(' ')
    .map((child) => stateOf(Number(child)))
}

describe.runIf(process.getuid?.() === 0)('ending the processes of a sliver', () => {
  it('kills at the end of the grace period what ignores SIGTERM', async () => {
    const first = await aNamespace(`sh -c 'trap "" TERM; while :; do sleep 1; done'`)
    const beganMs = performance.now()
    await terminate(first, { sliver: '1@1', graceMs: 200, ...goesOn })
    expect(performance.now() - beganMs).toBeGreaterThan(190)
    expect(isAlive(first)).toBe(false)
  })

  it('holds the namespace of no other process that has its pid by now', async () => {
    const first = await aNamespace('sleep 60')
    await using held = await holdNamespace(first, 'pid', '1@1')
    expect(await readlink(held.path)).toBe(await readlink(`/proc/${first.pid}/ns/pid`))
    await expect(
      holdNamespace({ ...first, startTicks: first.startTicks - 1 }, 'pid', '1@1'),
    ).rejects.toThrow(`its first process, ${first.pid}, is gone`)
  })

  it('asks and kills no other process that has its pid by now', async () => {
    const first = await aNamespace('sleep 60')
    await terminate(
      { ...first, startTicks: first.startTicks - 1 },
      { sliver: '1@1', graceMs: 200, ...goesOn },
    )
    expect(isAlive(first)).toBe(true)
  })

  it('ends the grace period when its signal does', async () => {
    const first = await aNamespace(`sh -c 'trap "" TERM; while :; do sleep 1; done'`)
    await terminate(first, {
      sliver: '1@1',
      graceMs: 600_000,
      ending: signal,
      signal: AbortSignal.timeout(50),
    })
    expect(isAlive(first)).toBe(false)
  })

  it('waits for the end of what it has killed when the agent is to end meanwhile, so that nothing seems to have ended by itself', async () => {
    const first = await aNamespace('sleep 60')
    const asked = new AbortController()
    asked.abort(new Error('the agent is to end'))
    await terminate(first, {
      sliver: '1@1',
      graceMs: 10_000,
      signal: asked.signal,
      ending: asked.signal,
    })
    expect(isAlive(first)).toBe(false)
  })

  it('waits a second at most for a process that waits for a device when the agent is to end', async () => {
    await using disk = await aFrozenDisk()
    const stuck = await aNamespace(`sh -c 'echo 1 > ${disk.path}/file'`)
    await expect.poll(() => statesIn(stuck)).toContain('D')
    const asked = new AbortController()
    const ending = terminate(stuck, { sliver: '1@1', graceMs: 0, signal, ending: asked.signal })
    const left = expect(ending).rejects.toThrow('the agent is to end')
    asked.abort(new Error('the agent is to end'))
    await left
    await disk.thaw()
    await expect.poll(() => isAlive(stuck)).toBe(false)
  })

  it('says that a process waits for a device (state D), which ends nothing and nobody but its own sliver, and ends it as soon as the device answers', async () => {
    await using disk = await aFrozenDisk()
    const stuck = await aNamespace(`sh -c 'echo 1 > ${disk.path}/file'`)
    await expect.poll(() => statesIn(stuck)).toContain('D')
    const other = await aNamespace('sleep 60')
    const order: string[] = []
    const ending = terminate(stuck, { sliver: '1@1', graceMs: 100, ...goesOn })
    const refused = expect(ending)
      .rejects.toMatchObject({ code: 'LAB_SLIVER_STUCK' })
      .then(() => order.push('stuck'))
    await terminate(other, { sliver: '2@1', graceMs: 100, ...goesOn })
    order.push('other')
    await refused
    expect(order).toEqual(['other', 'stuck'])
    expect(isAlive(stuck)).toBe(true)
    await disk.thaw()
    await terminate(stuck, { sliver: '1@1', graceMs: 0, ...goesOn })
    expect(isAlive(stuck)).toBe(false)
  })
})
