import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Node, path, routes, type VctNode } from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readHost } from '../../server/vct/src/pod/share.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

const run = promisify(execFile)
let testbed: RunningTestbed
let lab: Lab
let slice: Slice

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 3 })
  lab = connect(testbed.credentials)
  slice = await lab.slices.ensure('machines', { template: 'tiny', nodes: ['n1', 'n2'] })
  await slice.started()
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

/** Run a command in the pod, whose process ids are those that the testbed tells. */
const inPod = async (...argv: readonly string[]): Promise<string> => {
  const enter = ['--target', `${testbed.podPid}`, '--pid', '--mount', '--net', '--']
  return (await run('nsenter', [...enter, ...argv])).stdout
}

const status = async (name: string): Promise<VctNode> => {
  const { nodes } = await testbed.control.status()
  const found = nodes.find((node) => node.name === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

/** The boot id that programs on a node read. */
const bootId = async (name: string): Promise<string> =>
  inPod('cat', `/proc/${(await status(name)).agent_pid}/root/proc/sys/kernel/random/boot_id`)

const containerStarts = async () => {
  const results = await slice.sh`cat /proc/1/stat`
  return results.map((result) => result.stdout.split(' ')[21])
}

const poll = async (isSo: () => Promise<boolean>): Promise<void> => {
  await expect.poll(isSo, { timeout: 60_000, interval: 100 }).toBe(true)
}

it('gives each node a boot id of its own', async () => {
  const ids = await Promise.all(['n1', 'n2', 'n3'].map(bootId))
  expect(new Set([...ids, await inPod('cat', '/proc/sys/kernel/random/boot_id')]).size).toBe(4)
})

it('reboots a node when its operator asks for it: another boot id, and its slivers start again', async () => {
  const [idBefore, startsBefore] = [await bootId('n2'), await containerStarts()]
  const { url, token } = testbed.operator
  const asked = await fetch(url + path(routes.nodeReboot, { id: (await status('n2')).id }), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect(asked.status).toBe(202)
  await poll(async () => (await bootId('n2').catch(() => idBefore)) !== idBefore)
  await testbed.settled()
  await poll(async () => {
    const starts = await containerStarts().catch(() => startsBefore)
    return starts[1] !== startsBefore[1]
  })
  expect((await containerStarts())[0]).toBe(startsBefore[0])
  const idAfter = await bootId('n2')
  await testbed.settled()
  // It happens once.
  expect(await bootId('n2')).toBe(idAfter)
})

it('says of a node whose machine has died that it is off, and starts it when asked', async () => {
  const idOfN3 = await bootId('n3')
  const { agent_pid: agentPid } = await status('n3')
  const host = (await inPod('nsenter', '--target', `${agentPid}`, '--uts', 'hostname')).trim()
  expect(host).toBe('n3')
  const first = await inPod(
    'sh',
    '-c',
    `readlink /proc/${agentPid}/ns/pid; for p in /proc/[0-9]*; do
    [ "$(readlink $p/ns/pid 2>/dev/null)" = "$(readlink /proc/${agentPid}/ns/pid)" ] && grep -q "^NSpid:.*[[:space:]]1$" $p/status && echo "\${p#/proc/}"; done; true`,
  )
  await inPod('kill', '-KILL', first.trim().split('\n').at(-1) ?? '')
  await poll(async () => (await status('n3')).power === 'off')
  await testbed.control.node('n3', 'start')
  expect((await status('n3')).power).toBe('on')
  expect(await bootId('n3')).not.toBe(idOfN3)
})

it('reads a cut back from the kernel: one that was flushed away is made again', async () => {
  await testbed.control.link('n1', 'n2', 'cut')
  const { agent_pid: agentPid } = await status('n1')
  await inPod(
    'nsenter',
    '--target',
    `${agentPid}`,
    '--net',
    'nft',
    'delete',
    'table',
    'netdev',
    'cut_w2',
  )
  await testbed.control.link('n1', 'n2', 'cut')
  const tables = await inPod('nsenter', '--target', `${agentPid}`, '--net', 'nft', 'list', 'tables')
  expect(tables).toContain('cut_w2')
  await testbed.control.link('n1', 'n2', 'restore')
})

it('lets no node offer more than its share of the host', async () => {
  const nodes = await Promise.all(
    ['n1', 'n2', 'n3'].map(async (name) => {
      const { id } = await status(name)
      const document: unknown = await (
        await fetch(testbed.operator.url + path(routes.node, { id }))
      ).json()
      return Value.Parse(Node, document)
    }),
  )
  const host = await readHost(testbed.home)
  const offered = (name: string) =>
    nodes.reduce((sum, node) => {
      const total = node.resources.find((one) => one.name === name)?.total
      return sum + (total ?? 0)
    }, 0)
  expect(offered('memory')).toBeGreaterThan(0)
  expect(offered('memory')).toBeLessThanOrEqual(host.memoryMiB)
  expect(offered('disk')).toBeLessThanOrEqual(host.diskMiB)
  expect(offered('processes')).toBeLessThanOrEqual(host.processes)
})
