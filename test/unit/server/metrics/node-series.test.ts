import { expect, it } from 'vitest'
import { writeExposition } from '../../../../server/src/metrics/domain/exposition.ts'
import { toMetrics } from '../../../../server/src/metrics/domain/node-series.ts'

const ofInterface = (nodeId: number, device: string, bytes: unknown) => ({
  node: `n${nodeId}`,
  nodeId,
  fields: { interface: device, receive_bytes_total: bytes },
})

it('makes a counter of a total, with the texts of its row as labels', () => {
  const [metric, ...others] = toMetrics([
    { name: 'node_network', rows: [ofInterface(1, 'eth0', 5), ofInterface(2, 'wlan0', 2n ** 60n)] },
  ])
  expect(others).toEqual([])
  expect(metric).toMatchObject({
    name: 'community_lab_node_network_receive_bytes_total',
    type: 'counter',
    series: [
      { labels: { node: 'n1', node_id: '1', interface: 'eth0' }, value: 5 },
      { labels: { node: 'n2', node_id: '2', interface: 'wlan0' }, value: 2 ** 60 },
    ],
  })
})

it('leaves out what a sample lacks, and what nobody declared', () => {
  const fields = { load1: null, cpus: 4, invented_total: 7 }
  const rows = [{ node: 'n1', nodeId: 1, fields }]
  const metrics = toMetrics([
    { name: 'node_health', rows },
    { name: 'invented', rows },
  ])
  expect(metrics.map(({ name, type }) => [name, type])).toEqual([
    ['community_lab_node_health_cpus', 'gauge'],
  ])
})

it('bounds what one node adds, and keeps the others whole', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => ofInterface(1, `i${index}`, 1))
  const [metric] = toMetrics([{ name: 'node_network', rows: [...many, ofInterface(2, 'eth0', 1)] }])
  const nodes = metric?.series.map(({ labels }) => labels['node'])
  expect(nodes?.filter((node) => node === 'n1')).toHaveLength(256)
  expect(nodes).toContain('n2')
})

it('writes what a label cannot contain as the text format has it', () => {
  const labels = { interface: 'a"b\\c\nd' }
  const metric = {
    name: 'm',
    help: 'one\ntwo \\',
    type: 'gauge',
    series: [{ labels, value: -Infinity }],
  } as const
  expect(writeExposition([metric])).toBe(
    '# HELP m one\\ntwo \\\\\n# TYPE m gauge\nm{interface="a\\"b\\\\c\\nd"} -Inf\n',
  )
})

it('has no series twice, also when labels were cut to the same text', () => {
  const long = 'x'.repeat(200)
  const rows = [ofInterface(1, `${long}a`, 5), ofInterface(1, `${long}b`, 6)]
  const [metric] = toMetrics([{ name: 'node_network', rows }])
  expect(metric?.series).toHaveLength(1)
})
