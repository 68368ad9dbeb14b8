import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { acceptOf, Node, path, routes, type VctNode } from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readHost } from '../../server/vct/src/pod/share.ts'
import { aFrozenDisk } from '../integration/agent/sliver/world/frozen-disk.ts'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

const run = promisify(execFile)
let testbed: RunningTestbed
let lab: Lab
let slice: Slice

beforeAll(async () => {
  const agentEnv = { COMMUNITY_LAB_AGENT_LOG_LEVEL: 'debug' }
  testbed = await startTestbed({ nodes: 3, agentEnv })
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
  await expect.poll(isSo, { interval: 100 }).toBe(true)
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
    headers: { accept: acceptOf(), authorization: `Bearer ${token}` },
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

/** Give a new network namespace a link into the community network, whose server answers at this address. Returns its name. */
async function attachMachine(): Promise<string> {
  const name = `cl-host-${testbed.podPid}`
  const inside = (...argv: readonly string[]) => run('ip', ['-n', name, ...argv])
  await run('ip', ['netns', 'add', name])
  const link = ['link', 'add', 'cn0', 'type', 'veth', 'peer', 'name', 'laptop0', 'netns']
  await inside(...link, `${testbed.podPid}`)
  await inPod('ip', 'addr', 'add', 'fd99::1/64', 'dev', 'laptop0', 'nodad')
  await inPod('ip', 'link', 'set', 'laptop0', 'up')
  await inside('link', 'set', 'lo', 'up')
  await inside('link', 'set', 'cn0', 'up')
  await inside('addr', 'add', 'fd99::2/64', 'dev', 'cn0', 'nodad')
  await inside('route', 'add', 'default', 'via', 'fd99::1')
  return name
}

it('lets a researcher’s own machine reach slivers over the management network, until it is removed', async () => {
  const netns = await attachMachine()
  const folder = await mkdtemp(join(tmpdir(), 'cl-host-'))
  const { url, token } = testbed.credentials
  const env = { ...process.env, COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: token }
  const cli = (...argv: readonly string[]) =>
    run(process.execPath, ['server/cli/bin/community-lab.mjs', ...argv], { env })
  const inside = (...argv: readonly string[]) => run('ip', ['netns', 'exec', netns, ...argv])
  const reaches = (address: string): Promise<boolean> =>
    inside('ping', '-n', '-c', '1', '-W', '1', address).then(
      () => true,
      () => false,
    )
  try {
    const { stdout } = await cli('host', 'add', 'laptop', '--folder', folder, '--json')
    const { commands } = JSON.parse(stdout) as { commands: readonly string[] }
    expect(commands[0]).toBe(`cp -r ${folder} /etc/tinc/community-lab`)
    await inside('tincd', '-c', folder, `--pidfile=${folder}/pid`)
    const address = slice.sliver('n1').managementAddress
    await poll(() => reaches(address))
    const { stdout: banner } = await inside(
      'bash',
      '-c',
      `exec 3<>/dev/tcp/${address}/22; head -n 1 <&3`,
    )
    expect(banner).toContain('SSH-2.0')
    await cli('host', 'remove', 'laptop', '--yes')
    await poll(async () => !(await reaches(address)))
  } finally {
    await inside('tincd', '-c', folder, `--pidfile=${folder}/pid`, '-k').catch(() => undefined)
    await run('ip', ['netns', 'del', netns])
    await rm(folder, { recursive: true })
  }
})

/** Start a program in the process namespace of a sliver that writes to a folder, and wait until it waits for the disk. */
async function waitForDisk(one: Slice, folder: string) {
  const [result] = await one.sh`readlink /proc/self/ns/pid`
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name))
  const spaces = await Promise.all(
    pids.map((pid) => readlink(`/proc/${pid}/ns/pid`).catch(() => '')),
  )
  const target = pids[spaces.indexOf(result?.stdout.trim() ?? '')] ?? ''
  const program = ['sh', '-c', `echo $$ && echo 1 > ${folder}/file`]
  const writer = spawn('nsenter', [`--target=${target}`, '--pid', '--', ...program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(writer.stdout, 'data')
  const children = `/proc/${writer.pid ?? 0}/task/${writer.pid ?? 0}/children`
  const child = (await readFile(children, 'utf8')).trim()
  await poll(async () => /^State:\tD/mu.test(await readFile(`/proc/${child}/status`, 'utf8')))
}

it('ends an agent at once that is asked to while it removes a sliver of which a process waits for a device; the next one removes the sliver', async () => {
  await using disk = await aFrozenDisk()
  const stuck = await lab.slices.ensure('stuck', { template: 'tiny', nodes: ['n1'] })
  await stuck.started()
  await waitForDisk(stuck, disk.path)
  const [sliver] = stuck.slivers
  const isLogged = async (message: string): Promise<boolean> => {
    const lines = (await testbed.log('n1')).split('\n')
    const ofRemoval = `"sliver":"${sliver?.id ?? ''}","step":"remove"`
    return lines.some((line) => line.includes(ofRemoval) && line.includes(message))
  }
  await stuck.release()
  await poll(() => isLogged('a step begins'))
  const { agent_pid: agentPid } = await status('n1')
  const isThere = (): Promise<boolean> =>
    inPod('grep', '^State:.[^Z]', `/proc/${agentPid}/status`).then(
      () => true,
      () => false,
    )
  const beganMs = performance.now()
  await inPod('kill', '-TERM', `${agentPid}`)
  while (await isThere());
  // What was killed is waited for for five seconds, but not by an agent that is to end.
  expect(performance.now() - beganMs).toBeLessThan(4_000)
  await disk.thaw()
  await poll(() => isLogged('a step is done'))
  await testbed.settled()
})
