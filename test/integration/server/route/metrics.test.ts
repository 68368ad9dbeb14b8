import { execFile } from 'node:child_process'
import { routes } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

const health = { cpus: 4, load1: 0.5, memory_total_bytes: 2 ** 31, uptime_seconds: 100 }
const network = { interface: 'mesh0', receive_bytes_total: 10, transmit_bytes_total: 20 }

type Measured = readonly [name: string, fields: object, agoMs?: number]

/** Store samples of node 1. */
async function append(firstSeq: number, measured: readonly Measured[]): Promise<void> {
  const samples = measured.map(([name, fields, agoMs = 0], index) => ({
    seq: firstSeq + index,
    timeUs: (Date.now() - agoMs) * 1000,
    scope: 'node',
    name,
    sliver: null,
    fields: { ...fields },
  }))
  const spool = '11111111-2222-4333-8444-555555555555'
  await world.app.telemetry.append({ nodeId: 1, node: 'n1', spool, samples })
}

/** Ask promtool what it finds against an exposition; empty: nothing. */
function promtool(exposition: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const child = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) =>
    resolve(`${error === null ? '' : `${error.message} `}${stdout}${stderr}`),
  )
  child.stdin?.end(exposition)
  return promise
}

const lineOf = (body: string, begin: string) =>
  body.split('\n').find((line) => line.startsWith(begin))

it('gives a Prometheus server what each node measures now, to anybody', async () => {
  await append(1, [
    ['node_health', { ...health, load1: 3 }],
    ['node_health', health],
    ['node_network', network],
    ['node_network', { ...network, interface: 'eth0' }],
  ])
  const { statusCode, headers, body } = await world.ask(null, 'GET', routes.nodeMetrics)
  expect(statusCode).toBe(200)
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(body).toContain('community_lab_node_health_load1{node="n1",node_id="1"} 0.5\n')
  expect(body).not.toContain('} 3\n')
  for (const name of ['mesh0', 'eth0'])
    expect(body).toContain(
      `community_lab_node_network_receive_bytes_total{node="n1",node_id="1",interface="${name}"} 10\n`,
    )
  expect(lineOf(body, 'community_lab_node_state{node="n1"')).toMatch(/state="\w+"\} 1$/u)
  expect(await promtool(body)).toBe('')
})

it('leaves out what a node measured more than five minutes ago', async () => {
  await append(5, [
    ['sliver_health', { sliver_id: '7@1', memory_bytes: 1 }, 6 * 60_000],
    ['sliver_health', { sliver_id: '8@1', memory_bytes: 2 }],
  ])
  const { body } = await world.ask(null, 'GET', routes.nodeMetrics)
  expect(body).toContain('sliver_id="8@1"} 2\n')
  expect(body).not.toContain('7@1')
})

it('gives operators the metrics of the server itself', async () => {
  await world.ask(world.operator, 'GET', routes.nodes)
  const { statusCode, body } = await world.ask(world.operator, 'GET', routes.metrics)
  expect(statusCode).toBe(200)
  const requests =
    'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/api/nodes/",http_response_status_code="200"}'
  expect(lineOf(body, requests)).toBeDefined()
  expect(lineOf(body, 'community_lab_part_up{part="database"}')).toMatch(/ 1$/u)
  expect(lineOf(body, 'community_lab_nodes{state=')).toBeDefined()
  expect(lineOf(body, 'process_cpu_seconds_total')).toBeDefined()
  expect(await promtool(body)).toBe('')
})
