import {
  encodeNumber,
  formatLine,
  maxFields,
  parseAnyLine,
  parseLine,
  reservedColumns,
} from '@community-lab/contract'
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
    // The name of a run is text.
    ['v run=5g-20260101T000000Z-00', 'v', { run: '5g-20260101T000000Z-00' }],
    // Numbers as shells, awk, C and Python write them.
    ['v a=.5 b=+5 c=007 d=5. e=-.5e1 f=1E3', 'v', { a: 0.5, b: 5, c: 7, d: 5, e: -5, f: 1000 }],
    [
      'v a=nan b=-nan c=inf d=-inf e=Infinity f=+INF',
      'v',
      {
        a: { number: 'nan' },
        b: { number: 'nan' },
        c: { number: 'inf' },
        d: { number: '-inf' },
        e: { number: 'inf' },
        f: { number: 'inf' },
      },
    ],
    // Integers stay exact.
    [
      'v max=9007199254740991 more=9007199254740993 u64=18446744073709551615 less=-009223372036854775808',
      'v',
      {
        max: 9_007_199_254_740_991,
        more: { number: '9007199254740993' },
        u64: { number: '18446744073709551615' },
        less: { number: '-9223372036854775808' },
      },
    ],
    // Words, among them those that no one takes for a number.
    [
      'v peer=n3 host=10.0.0.1 net=10.0.0.0/8 at=10.0.0.1:80 v6=2001:db8::1 mac=02:00:00:00:00:01 id=3@7 t=12:30:00',
      'v',
      {
        peer: 'n3',
        host: '10.0.0.1',
        net: '10.0.0.0/8',
        at: '10.0.0.1:80',
        v6: '2001:db8::1',
        mac: '02:00:00:00:00:01',
        id: '3@7',
        t: '12:30:00',
      },
    ],
    ['v zip="0123" dash=- minus=-x', 'v', { zip: '0123', dash: '-', minus: '-x' }],
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
    ['rtt a=1e999', /field a: "1e999" is beyond the largest number/u],
    ['rtt a=12ms', /field a: "12ms" begins like a number and is none: write 12 and the unit/u],
    ['rtt a=0,012', /write 0.012, with a point/u],
    ['rtt a=1_000', /write 1000, without separators/u],
    ['rtt a=1,000,000', /write 1000000, without separators/u],
    ['rtt a=0x1f', /write it in decimal/u],
    ['rtt a=8ab12f', /write text in double quotes/u],
    ['rtt a=9007199254740993,v=1', /separate fields by blanks, not by commas/u],
    ['rtt a=1i,b=0.5', /separate fields by blanks/u],
    ['rtt a=1.2.3', /write text in double quotes/u],
    [`rtt a=${'9'.repeat(39)}`, /more than 38 digits/u],
    ['rtt a_as_text=1', /ends with _as_text/u],
    ['log text="a\\ud800"', /is no JSON string/u],
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
      // An integer that is written with all its digits is read as the integer it is, in the exact form.
      .filter((n) => Number.isSafeInteger(n) || !/^-?\d+$/u.test(String(n)))
    const integer = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map(encodeNumber)
    const special = fc.constantFrom(Number.NaN, Infinity, -Infinity).map(encodeNumber)
    const value = fc.oneof(number, integer, special, fc.string(), fc.boolean())
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

  it('is read alike whatever lines came before, by the short way and by all of the rules', () => {
    const field = fc.constantFrom('a', 'b', 'run', 'peer', 'time', 'x_as_text', 'B', '__proto__')
    const word = fc.oneof(
      fc.constantFrom(
        ...['true', 'false', 'nan', 'INF', 'Infinity', '-inf', 'infinite', 'n3', 'e5', '1e5', '-'],
        ...[
          '-0',
          '0',
          '007',
          '5.',
          '.5',
          '1.5',
          '-2.25',
          '1.2.3',
          '10.0.0.1',
          '12ms',
          '0x1f',
          '3@7',
        ],
        ...['999999999999999', '9007199254740993', '9'.repeat(39), `0.${'3'.repeat(60)}`, ''],
        ...[
          '"two words"',
          '"a\\nb"',
          '"open',
          '"a"b',
          '"ü"',
          '"\u007f"',
          '"\t"',
          'ü',
          'a=b',
          'a"b',
        ],
      ),
      fc.string({ maxLength: 6 }),
      fc.double().map(String),
      fc.maxSafeInteger().map(String),
    )
    const pair = fc
      .tuple(field, fc.constantFrom('=', '=', '=', ''), word)
      .map((each) => each.join(''))
    const gap = fc.constantFrom(' ', ' ', ' ', ' ', '  ', '\t', '')
    const part = fc.tuple(gap, pair).map((each) => each.join(''))
    const line = fc
      .tuple(fc.constantFrom('m', 'm', 'n', 'M', ''), fc.array(part, { maxLength: 4 }), gap)
      .map(([name, parts, end]) => name + parts.join('') + end)
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 12 }), (lines) => {
        for (const each of [...lines, ...lines]) expect(parseLine(each)).toEqual(parseAnyLine(each))
      }),
      { numRuns: 1_000 },
    )
  })

  it('never makes the reader throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void parseLine(line)))
  })
})
