import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeManagementSubnet, nodeTincName } from '@community-lab/contract'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sh } from './world/shell.ts'
import {
  comesToReach,
  createTestbed,
  prefix,
  reaches,
  serverAddress,
  stateOf,
  type MgmtTestbed,
  type TestNode,
} from './world/testbed.ts'
import type { WatchedProcess } from './world/process.ts'

const isRoot = process.geteuid?.() === 0

describe.runIf(isRoot)('a server’s gateway and three nodes', () => {
  let testbed: MgmtTestbed
  const nodes: TestNode[] = []
  const running = new Map<number, WatchedProcess>()

  beforeAll(async () => {
    testbed = await createTestbed()
    for (const id of [1, 2, 3]) nodes.push(await testbed.addNode(id))
    await testbed.gateway.line((line) => line.includes('gateway serves'))
    for (const node of nodes) running.set(node.id, node.start())
    await Promise.all([...running.values()].map((node) => stateOf(node, 'up')))
  })
  afterAll(() => testbed[Symbol.asyncDispose]())

  const processOf = (id: number): WatchedProcess => {
    const found = running.get(id)
    if (found === undefined) throw new Error(`node ${id} does not run`)
    return found
  }

  test('all reach each other over the management network', async () => {
    for (const from of nodes) {
      expect(await comesToReach(testbed.serverNetns, from.address)).toBe(true)
      expect(await comesToReach(from.netns, serverAddress)).toBe(true)
      for (const to of nodes) expect(await comesToReach(from.netns, to.address)).toBe(true)
    }
    expect(testbed.app.management.health()).toEqual({ ok: true })
    expect(testbed.app.management.hostsUp()).toEqual(['node_1', 'node_2', 'node_3'])
  })

  test('a node added live is connected without disturbing the others', async () => {
    const before = processOf(1).lines.length
    const added = await testbed.addNode(4)
    const started = added.start()
    running.set(4, started)
    await stateOf(started, 'up')
    expect(await comesToReach(testbed.serverNetns, added.address)).toBe(true)
    expect(processOf(1).lines.slice(before).join('\n')).not.toContain('"state":"down"')
  })

  test('a host is with the gateway once the server says so: a node that is told to connect then is known', async () => {
    const hosts = await testbed.registry.tincHosts()
    const [host] = hosts
    if (host === undefined) throw new Error('there is no host')
    const known = (id: number) =>
      access(join(testbed.dir, 'gateway/hosts', nodeTincName(id))).then(
        () => true,
        () => false,
      )
    for (const id of [101, 102, 103]) {
      const subnets = [nodeManagementSubnet(prefix, id)]
      testbed.registry.setHosts([...hosts, { ...host, name: nodeTincName(id), subnets }])
      await testbed.app.management.updated()
      expect(await known(id)).toBe(true)
    }
    testbed.registry.setHosts(hosts)
    await testbed.app.management.updated()
    expect(await known(103)).toBe(false)
  })

  test('it says so however soon after the last time it is asked', async () => {
    const { management } = testbed.app
    for (let steps = 0; steps < 20; steps++) {
      await management.updated()
      for (let step = 0; step < steps; step++) await Promise.resolve()
      await management.updated()
    }
  })

  test('a revoked node is cut off at once, and reported when it knocks again', async () => {
    const hosts = await testbed.registry.tincHosts()
    const after = processOf(4).lines.length
    testbed.registry.setHosts(hosts.filter((host) => host.name !== nodeTincName(4)))
    await stateOf(processOf(4), 'down', after)
    expect(await reaches(testbed.serverNetns, 'fd65:fc41:c50f:4::2')).toBe(false)
    const incident = await testbed.registry.incident((one) => one.code === 'unknown_host')
    expect(incident.node).toBe('node_4')
    await processOf(4).kill('SIGTERM')
  })

  test('a node that announces another’s subnet is refused and reported; the owner keeps it', async () => {
    const rogue = nodes[2]
    if (rogue === undefined) throw new Error('no node 3')
    await processOf(3).kill('SIGTERM')
    const host = join(rogue.dir, 'hosts/node_3')
    await writeFile(
      host,
      `Subnet = fd65:fc41:c50f:1::/80#1\nSubnet = fd65:fc41:c50f::2/128#1\nSubnet = fd65:fc41:c50f:3::/64\n\n${rogue.pubkey}`,
    )
    await writeFile(
      join(rogue.dir, 'tinc.conf'),
      'Name = node_3\nMode = router\nInterface = rogue\nConnectTo = server_2\n',
    )
    const argv = ['ip', 'netns', 'exec', rogue.netns, 'tincd', '-c', rogue.dir, '-D', '-d1']
    const { startProcess } = await import('./world/process.ts')
    await using tincd = startProcess([...argv, `--pidfile=${rogue.dir}/tincd.pid`])
    await tincd.line((line) => line.includes('activated'))
    const stolen = await testbed.registry.incident((one) => one.message.includes(':1::/80'))
    expect(stolen).toMatchObject({ code: 'unauthorized_subnet', node: 'node_3' })
    await testbed.registry.incident((one) => one.message.includes('fd65:fc41:c50f::2/128'))
    expect(await reaches(testbed.serverNetns, 'fd65:fc41:c50f:1::2')).toBe(true)
    const [one, two] = nodes
    expect(await reaches(two?.netns ?? '', one?.address ?? '')).toBe(true)
    expect(await reaches(two?.netns ?? '', serverAddress)).toBe(true)
    await tincd.kill('SIGTERM')
    // Nobody noted when the rogue was started: see tincdSeedDelayMs.
    await delay(1_000)
    const started = rogue.start()
    running.set(3, started)
    await stateOf(started, 'up')
    expect(await comesToReach(testbed.serverNetns, rogue.address)).toBe(true)
  })

  test('a killed gateway’s tincd is replaced by the next gateway’s, and nodes come back', async () => {
    const [pid] = await tincdsIn(testbed.serverNetns)
    await testbed.gateway.kill('SIGKILL')
    expect(await tincdsIn(testbed.serverNetns)).toEqual([pid])
    const before = [1, 2, 3].map((id) => ({
      node: processOf(id),
      after: processOf(id).lines.length,
    }))
    const gateway = testbed.startGateway()
    await gateway.line((line) => line.includes('stopped a tincd left over'))
    for (const { node, after } of before) {
      await stateOf(node, 'down', after)
      await stateOf(node, 'up', after)
    }
    const now = await tincdsIn(testbed.serverNetns)
    expect(now).toHaveLength(1)
    expect(now).not.toEqual([pid])
    expect(await comesToReach(testbed.serverNetns, 'fd65:fc41:c50f:1::2')).toBe(true)
  })

  test('a tincd of the gateway that dies is started again', async () => {
    const after = processOf(2).lines.length
    const [pid] = await tincdsIn(testbed.serverNetns)
    await sh(`kill -9 ${pid ?? ''}`)
    await stateOf(processOf(2), 'down', after)
    await stateOf(processOf(2), 'up', after)
    expect(await comesToReach(testbed.serverNetns, 'fd65:fc41:c50f:2::2')).toBe(true)
  })

  test('a node’s tincd killed with SIGKILL is back by itself, also one killed within a second of its start', async () => {
    const node = processOf(1)
    // Often enough to meet the same second, which tincds must not be started in: see tincdSeedDelayMs.
    for (let round = 0; round < 8; round++) {
      const after = node.lines.length
      const [pid] = await tincdsIn(nodes[0]?.netns ?? '')
      await sh(`kill -9 ${pid ?? ''}`)
      await node.line((line) => line.startsWith('{"exit":'), after)
      await stateOf(node, 'up', after)
      expect(await comesToReach(testbed.serverNetns, 'fd65:fc41:c50f:1::2')).toBe(true)
    }
  })

  test('a killed agent’s tincd keeps its node reachable until the next agent replaces it', async () => {
    const node = nodes[0]
    if (node === undefined) throw new Error('no node 1')
    await killAgent(node)
    const [pid] = await tincdsIn(node.netns)
    expect(await reaches(testbed.serverNetns, node.address)).toBe(true)
    const again = node.start()
    running.set(1, again)
    await stateOf(again, 'up')
    const now = await tincdsIn(node.netns)
    expect(now).toHaveLength(1)
    expect(now).not.toEqual([pid])
    expect(await comesToReach(testbed.serverNetns, node.address)).toBe(true)
  })

  test('a restarted server finds its gateway and keeps its key', async () => {
    const { pubkey } = testbed.app.management.serverTincHost()
    const after = processOf(2).lines.length
    const app = await testbed.startServer()
    expect(app.management.serverTincHost().pubkey).toBe(pubkey)
    const added = await testbed.addNode(5)
    const started = added.start()
    await stateOf(started, 'up')
    expect(app.management.health()).toEqual({ ok: true })
    expect(processOf(2).lines.slice(after).join('\n')).not.toContain('"state":"down"')
  })

  test('a stopped agent leaves no tincd and no interface', async () => {
    await processOf(2).kill('SIGTERM')
    expect(await tincdsIn(nodes[1]?.netns ?? '')).toEqual([])
    expect(await sh(`ip -n ${nodes[1]?.netns ?? ''} link`)).not.toContain('clab-')
  })

  test('a stopped gateway leaves nothing, and the server says it is missing', async () => {
    await testbed.gateway.kill('SIGTERM')
    expect(await tincdsIn(testbed.serverNetns)).toEqual([])
    expect(await sh(`ip -n ${testbed.serverNetns} link`)).not.toContain('clab-')
    await expect(sh(`ls ${testbed.dir}/gateway`)).rejects.toThrow()
    expect(testbed.app.management.health()).toMatchObject({ ok: false })
  })

  async function killAgent(node: TestNode): Promise<void> {
    // The agent is the child of `ip netns exec`, which has become it.
    await processOf(node.id).kill('SIGKILL')
  }

  async function tincdsIn(netns: string): Promise<readonly string[]> {
    const pids = (await sh(`ip netns pids ${netns}`)).split('\n').filter((pid) => pid !== '')
    const names = await Promise.all(pids.map((pid) => sh(`cat /proc/${pid}/comm`).catch(() => '')))
    return pids.filter((_, at) => names[at]?.trim() === 'tincd')
  }
})
