import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNodeRouting } from '../../../agent/src/measurement/collectors/node-routing.ts'
import type { Sample } from '../../../agent/src/measurement/sample.ts'
import { patienceMs } from '../../support/eventually.ts'
import { startMesh, type TestMesh } from './world/mesh.ts'

const isRoot = process.geteuid?.() === 0

describe.each(isRoot ? (['me', 'ordinary user'] as const) : (['me'] as const))(
  `a community network of five nodes, as ${isRoot ? 'root and ordinary user' : 'ordinary user'}: %s`,
  (as) => {
    let mesh: TestMesh

    beforeAll(async () => {
      mesh = await startMesh(5, as)
    })
    afterAll(() => mesh[Symbol.asyncDispose]())

    const ping = (from: string, to: string, ...options: string[]) =>
      mesh.run(from, ['ping', '-6', '-n', '-c', '1', '-W', '1', ...options, to])
    /** How many routers are on the way back: a reply starts with 64 and each takes one. */
    const routersBetween = async (from: string, to: string): Promise<number> =>
      64 - Number(/ttl=(\d+)/u.exec(await ping(from, to))?.[1])
    const address = (n: number) => `fd77::${n}`
    const server = 'fd77::5e'

    /** Ask again and again until routes have settled; each question takes its time. */
    async function until(isThere: () => Promise<boolean>): Promise<void> {
      const patience = AbortSignal.timeout(patienceMs)
      while (!(await isThere().catch(() => false)))
        if (patience.aborted) throw new Error('the routes did not settle')
    }

    test('everyone reaches everyone over several links', async () => {
      for (const to of [2, 3, 4, 5]) await until(() => ping('n1', address(to)).then(() => true))
      expect(await routersBetween('n1', address(2))).toBe(0)
      expect(await routersBetween('n1', address(5))).toBe(1)
      expect(await routersBetween('n1', address(4))).toBe(2)
      for (const n of [1, 2, 3, 4, 5]) await ping(`n${n}`, server)
    })

    test('n1 to n5 is two links of 5 ms each way', async () => {
      const text = await ping('n1', address(5), '-c', '40', '-i', '0.02')
      // A busy machine delays some packets, but not all of them: the quickest had the delay of the links alone.
      const quickestMs = Number(/= ([\d.]+)\//u.exec(text)?.[1])
      expect(quickestMs).toBeGreaterThan(18)
      expect(quickestMs).toBeLessThan(40)
    })

    test('a link carries 20 Mbit/s and no more', async () => {
      // It goes into the background, and must not take the pipe along by which its end is waited for.
      await mesh.run('n2', ['sh', '-c', 'iperf3 --server --one-off --daemon 3>&-'])
      const report = JSON.parse(
        await mesh.run('n1', ['iperf3', '-6', '-c', address(2), '-t', '2', '--json']),
      ) as { end: { sum_received: { bits_per_second: number } } }
      const mbps = report.end.sum_received.bits_per_second / 1e6
      expect(mbps).toBeGreaterThan(10)
      expect(mbps).toBeLessThan(21)
    })

    test('a cut link is routed around, and taken again when it is back', async () => {
      await mesh.setLink(2, 5, 'cut')
      await until(async () => (await routersBetween('n1', address(5))) === 3)
      await mesh.setLink(2, 5, 'up')
      await until(async () => (await routersBetween('n1', address(5))) === 1)
    })

    test("a node's links and routes are measured, before a cut and after it", async () => {
      const socketPath = join(mesh.dir, 'n2.sock')
      const toFive = { interface: 'w5', local_address: 'fe80::2', neighbour_address: 'fe80::5' }
      const routeToFive = { destination: 'fd77::5/128', announced: false }
      const has = (rows: readonly Sample[], name: string, fields: object) =>
        rows.some(
          (row) => row.name === name && isDeepStrictEqual({ ...row.fields, ...fields }, row.fields),
        )
      const all = () => createNodeRouting({ socketPath }).collect()
      // The routers have measured round trips when they have settled after the test before.
      await until(async () => has(await all(), 'node_links', { ...toFive, usable: true }))
      await until(async () =>
        has(await all(), 'node_routes', { ...routeToFive, next_hop: 'fe80::5' }),
      )
      const routing = createNodeRouting({ socketPath })
      const before = await routing.collect()
      expect(before).toContainEqual({
        time_us: expect.any(Number) as unknown,
        source: 'node',
        name: 'node_routes',
        fields: { event: 'full', destination: 'fd77::2/128', announced: true, metric: 0 },
      })
      const link = before.find(({ fields }) => fields['neighbour_address'] === 'fe80::5')
      // 5 ms each way.
      expect(link?.fields['rtt_s']).toBeGreaterThan(0.009)

      await mesh.setLink(2, 5, 'cut')
      await until(
        async () => !has(await routing.collect(), 'node_links', { ...toFive, usable: true }),
      )
      await until(async () => {
        const other = (await all()).find(({ fields }) => fields['destination'] === 'fd77::5/128')
        return other?.fields['next_hop'] !== 'fe80::5'
      })
      expect(has(await routing.collect(), 'node_links', { ...toFive, usable: true })).toBe(false)
      await mesh.setLink(2, 5, 'up')
      await until(async () => (await routersBetween('n1', address(5))) === 1)
    })

    test('a node that is cut off reaches nobody until it is back, and a cut link of its own stays cut', async () => {
      await mesh.setLink(4, 5, 'cut')
      await mesh.setNode(5, 'cut')
      await expect(ping('n2', address(5))).rejects.toThrow()
      await mesh.setNode(5, 'up')
      await until(async () => (await routersBetween('n4', address(5))) === 2)
      await mesh.setLink(4, 5, 'up')
    })

    // babeld of its own accord kept such a node without routes for 65 s, every other time.
    test('a node that is back is found, though it was cut off while routers looked for a way to it', async () => {
      for (let round = 0; round < 3; round += 1) {
        await mesh.setLink(4, 5, 'cut')
        // n4 asks for another way about a second after the cut, and n5 is not there to answer.
        await delay(500)
        await mesh.setNode(5, 'cut')
        await delay(2000)
        await mesh.setNode(5, 'up')
        await until(async () => (await routersBetween('n4', address(5))) === 2)
        await mesh.setLink(4, 5, 'up')
        await until(async () => (await routersBetween('n4', address(5))) === 0)
      }
    })

    test('an address that no sliver has is refused by its node', async () => {
      await expect(ping('n1', 'fd77:0:0:3::1')).rejects.toThrow()
    })
  },
)

test('ending a network leaves no process of it', async () => {
  const mesh = await startMesh(2, 'me')
  const namespace = (await mesh.run('server', ['readlink', '/proc/self/ns/pid'])).trim()
  const hasProcesses = async () => (await pidNamespaces()).includes(namespace)
  expect(await hasProcesses()).toBe(true)
  await mesh[Symbol.asyncDispose]()
  expect(await hasProcesses()).toBe(false)
})

async function pidNamespaces(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name))
  const links = pids.map((pid) => readlink(`/proc/${pid}/ns/pid`).catch(() => ''))
  return Promise.all(links)
}
