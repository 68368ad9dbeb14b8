import { describe, expect, it } from 'vitest'
import { fitFields, type Fields } from '../../../../server/src/telemetry/domain/layout.ts'

describe('fitting a sample into a table', () => {
  it('lets the first value of a field decide its type', () => {
    const fields: Fields = new Map()
    const { added, overflow } = fitFields({ rtt_s: 0.5, peer: 'n3', ok: true }, fields, 9)
    expect(added).toEqual([
      ['rtt_s', 'DOUBLE'],
      ['peer', 'VARCHAR'],
      ['ok', 'BOOLEAN'],
    ])
    expect(overflow).toBeNull()
    expect([...fields.keys()]).toEqual(['rtt_s', 'peer', 'ok'])
  })

  it('keeps a value of another type in the overflow', () => {
    const fields: Fields = new Map([['rtt_s', 'DOUBLE']])
    const { values, added, overflow } = fitFields({ rtt_s: 'timeout', n: 1 }, fields, 9)
    expect([...values]).toEqual([['n', 1]])
    expect(added).toEqual([['n', 'DOUBLE']])
    expect(overflow).toBe('{"rtt_s":"timeout"}')
  })

  it('keeps fields beyond the bound in the overflow', () => {
    const fields: Fields = new Map([['a', 'DOUBLE']])
    const { overflow } = fitFields({ a: 1, b: 2, c: true }, fields, 1)
    expect(overflow).toBe('{"b":2,"c":true}')
    expect(fields.size).toBe(1)
  })

  it('makes no column of names that are reserved or no names', () => {
    const fields: Fields = new Map()
    const sample = JSON.parse('{"time":1,"Bad Name":2,"__proto__":3}') as Record<string, number>
    const { added, overflow } = fitFields(sample, fields, 9)
    expect(added).toEqual([])
    expect(overflow).toBe('{"time":1,"Bad Name":2,"__proto__":3}')
  })

  it('takes a run as text however it is written', () => {
    const fields: Fields = new Map()
    expect(fitFields({ run: 5 }, fields, 9).values.get('run')).toBe('5')
    expect(fitFields({ run: 'five' }, fields, 9).overflow).toBeNull()
  })
})
