import type { RowBatch } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { toOtelMetrics } from '../../../../server/src/otlp/domain/points.ts'

const batch: RowBatch = {
  columns: [
    'time',
    'node',
    'node_id',
    'sliver',
    'seq',
    'spool',
    'landed',
    'overflow',
    'peer',
    'rtt_s',
    'lost',
    'sent_total',
  ],
  types: [
    'TIMESTAMP',
    'VARCHAR',
    'INTEGER',
    'VARCHAR',
    'BIGINT',
    'VARCHAR',
    'BIGINT',
    'VARCHAR',
    'VARCHAR',
    'DOUBLE',
    'BOOLEAN',
    'DOUBLE',
  ],
  rows: [
    [1_500_000, 'n1', 1, '3@1', 1, 'x', 10, null, 'n2', 0.25, false, 7],
    [2_500_000, 'n1', 1, '3@1', 2, 'x', 11, null, null, null, true, 'inf'],
  ],
  landed: 11,
}

it('makes a gauge of each number and boolean, a counter of a total, and attributes of texts', () => {
  const attributes = { scope: 'slice-3', node: 'n1', node_id: 1, sliver: '3@1' }
  const metrics = toOtelMetrics({ scope: 'slice-3', name: 'rtt' }, batch)
  expect(metrics).toEqual([
    {
      name: 'community_lab.rtt.rtt',
      unit: 's',
      isCounter: false,
      points: [{ timeUs: 1_500_000, attributes: { ...attributes, peer: 'n2' }, value: 0.25 }],
    },
    {
      name: 'community_lab.rtt.lost',
      unit: '1',
      isCounter: false,
      points: [
        { timeUs: 1_500_000, attributes: { ...attributes, peer: 'n2' }, value: 0 },
        { timeUs: 2_500_000, attributes, value: 1 },
      ],
    },
    {
      name: 'community_lab.rtt.sent',
      unit: '1',
      isCounter: true,
      points: [{ timeUs: 1_500_000, attributes: { ...attributes, peer: 'n2' }, value: 7 }],
    },
  ])
})
