import { describe, expect, it } from 'vitest'
import type { SampleRecord } from '@community-lab/contract'
import { placeRecord } from '../../../../server/src/telemetry/domain/placement.ts'
import { maybeUnitOf } from '../../../../server/src/telemetry/domain/unit.ts'

const context = { nodeId: 4, isSlice: (id: number) => id === 7 }

function aRecord(changes: Partial<SampleRecord>): SampleRecord {
  return { seq: 1, time_us: 5, source: 'node', name: 'cpu', fields: { busy_ratio: 1 }, ...changes }
}

describe('placing a record', () => {
  it('puts what the node says of itself into the scope of nodes', () => {
    expect(placeRecord(aRecord({}), context)).toMatchObject({ scope: 'node', sliver: null })
  })

  it('puts what a sliver of the node wrote into its slice’s scope', () => {
    expect(placeRecord(aRecord({ source: '7@4' }), context)).toMatchObject({
      scope: 'slice-7',
      sliver: '7@4',
      name: 'cpu',
    })
  })

  it.each(['7@5', '8@4', '7', '07@4', 'x@4', ''])(
    'keeps what comes from %j, which is not the node’s, as rejected',
    (source) => {
      const placed = placeRecord(aRecord({ source }), context)
      expect(placed).toMatchObject({ scope: 'node', sliver: null, name: 'rejected', seq: 1 })
      expect(placed.fields['line']).toBe('cpu busy_ratio=1')
      expect(placed.fields['reason']).toContain(JSON.stringify(source))
    },
  )

  it('keeps a sample with a name that is none as rejected in its own scope', () => {
    const placed = placeRecord(aRecord({ source: '7@4', name: 'drop table' }), context)
    expect(placed).toMatchObject({ scope: 'slice-7', sliver: '7@4', name: 'rejected' })
  })
})

describe('the unit of a column', () => {
  it.each([
    ['rtt_s', 's'],
    ['rx_bytes', 'bytes'],
    ['s', null],
    ['peer', null],
    ['a_constructor', null],
  ])('of %s is %s', (column, unit) => {
    expect(maybeUnitOf(column)).toBe(unit)
  })
})
