import { formatLine, maxFields, parseLine, reservedColumns } from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('a line', () => {
  it.each([
    ['rtt rtt_s=0.012', 'rtt', { rtt_s: 0.012 }],
    ['rtt rtt_s=0.012 peer=n3', 'rtt', { rtt_s: 0.012, peer: 'n3' }],
    ['  cpu   busy_ratio=1e-3\tcores=4 ', 'cpu', { busy_ratio: 0.001, cores: 4 }],
    ['link up=true lost=false', 'link', { up: true, lost: false }],
    ['log text="two words, \\"quoted\\" = here"', 'log', { text: 'two words, "quoted" = here' }],
    ['log text=""', 'log', { text: '' }],
    // What is no JSON number is text.
    [
      'v version=1.2.3 hex=0x10 zip=0123 plus=+1',
      'v',
      { version: '1.2.3', hex: '0x10', zip: '0123', plus: '+1' },
    ],
    ['v url=http://n3/?a=b', 'v', { url: 'http://n3/?a=b' }],
  ])('%j is read', (line, name, fields) => {
    expect(parseLine(line)).toEqual({ ok: true, name, fields })
  })

  it.each([
    ['', /measurement name ""/u],
    ['rtt', /no field=value/u],
    ['RTT rtt_s=1', /measurement name "RTT"/u],
    ['3g rtt_s=1', /measurement name "3g"/u],
    ['rtt rtt_s', /"rtt_s" has no value/u],
    ['rtt rtt_s=', /"rtt_s" has no value/u],
    ['rtt rtt-s=1', /field name "rtt-s"/u],
    ['rtt a=1 a=2', /field a is given twice/u],
    ['rtt text="open', /cannot read/u],
    ['rtt text="bad \\x escape"', /field text/u],
    ['rtt a=1e999', /field a/u],
    ['rtt =1', /cannot read/u],
    ['rtt __proto__=1', /field name "__proto__"/u],
    [`rtt ${'x'.repeat(64)}=1`, /field name/u],
  ])('%j is refused with the reason', (line, reason) => {
    const parsed = parseLine(line)
    expect(parsed).toMatchObject({ ok: false })
    expect(parsed.ok ? '' : parsed.reason).toMatch(reason)
  })

  it.each(reservedColumns)('may not have a field %s, which every table has', (field) => {
    expect(parseLine(`rtt ${field}=1`)).toMatchObject({ ok: false })
  })

  it('has so many fields and no more', () => {
    const line = (count: number) =>
      `many ${Array.from({ length: count }, (_, index) => `f${index}=${index}`).join(' ')}`
    expect(parseLine(line(maxFields))).toMatchObject({ ok: true })
    expect(parseLine(line(maxFields + 1))).toMatchObject({ ok: false })
  })

  it('that was written is read as it was', () => {
    const name = fc
      .stringMatching(/^[a-z][a-z0-9_]{0,62}$/u)
      .filter((each) => !reservedColumns.includes(each))
    const number = fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((n) => !Object.is(n, -0))
    const value = fc.oneof(number, fc.string(), fc.boolean())
    const fields = fc.dictionary(name, value, { minKeys: 1, maxKeys: 8, noNullPrototype: true })
    fc.assert(
      fc.property(name, fields, (measurement, sample) => {
        expect(parseLine(formatLine(measurement, sample))).toEqual({
          ok: true,
          name: measurement,
          fields: sample,
        })
      }),
    )
  })

  it('never makes the reader throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void parseLine(line)))
  })
})
