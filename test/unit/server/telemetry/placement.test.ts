import { describe, expect, it } from 'vitest'
import type { SampleRecord } from '@community-lab/contract'
import { placeRecord } from '../../../../server/src/telemetry/domain/placement.ts'
import { maybeUnitOf } from '@community-lab/contract/samples'

const context = { nodeId: 4, nowUs: 99, isSlice: (id: number) => id === 7 }

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

describe('a record that nothing can be done with', () => {
  it('is told of when its fields are larger than any line may be', () => {
    const fields = Object.fromEntries([0, 1, 2].map((at) => [`text${at}`, 'x'.repeat(4_096)]))
    const placed = placeRecord(aRecord({ source: '7@4', name: 'log', fields }), context)
    expect(placed).toMatchObject({ scope: 'slice-7', name: 'rejected' })
    expect(placed.fields['reason']).toBe(
      'its fields have 12303 characters, and a sample has 8192 at most',
    )
  })

  it.each([1e300, -1, 0.5, Number.MAX_SAFE_INTEGER + 1])(
    'is told of with the server’s time when its own is %d',
    (time) => {
      const placed = placeRecord(aRecord({ time_us: time, source: '7@4' }), context)
      expect(placed).toMatchObject({ scope: 'slice-7', name: 'rejected', timeUs: 99 })
      expect(placed.fields['reason']).toContain(String(time))
    },
  )

  it('is told of when a declared field has a value of another kind', () => {
    const fields = { load1: 'high', load5: 1 }
    const placed = placeRecord(aRecord({ name: 'node_health', fields }), context)
    expect(placed).toMatchObject({ scope: 'node', name: 'rejected', fields: { lines: 1 } })
    expect(placed.fields['reason']).toBe(
      'field load1 of node_health is declared as a number, and "high" is none',
    )
    expect(placed.fields['line']).toBe('node_health load1="high" load5=1')
  })

  it('leaves to programs what nodes have declared for themselves', () => {
    const fields = { load1: 'high' }
    const placed = placeRecord(aRecord({ source: '7@4', name: 'node_health', fields }), context)
    expect(placed).toMatchObject({ scope: 'slice-7', name: 'node_health', fields })
  })
})

describe('the unit of a column', () => {
  it.each([
    ['rtt_s', 's'],
    ['rx_bytes', 'bytes'],
    ['busy_seconds_total', 's'],
    ['rtt_s_as_number', 's'],
    ['rtt_s_as_text', null],
    ['s', null],
    ['peer', null],
    ['a_constructor', null],
  ])('of %s is %s', (column, unit) => {
    expect(maybeUnitOf(column)).toBe(unit)
  })
})
