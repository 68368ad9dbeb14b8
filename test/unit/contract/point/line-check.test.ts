import {
  bool,
  bytes,
  compileLineCheck,
  count,
  integer,
  number,
  optional,
  parseLine,
  point,
  ratio,
  seconds,
  text,
} from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const rtt = point('rtt', {
  rtt_s: optional(seconds('round trip')),
  lost: bool(),
  peer: text(),
})
const kinds = point('kinds', {
  a_s: optional(seconds()),
  b_bytes: optional(bytes()),
  c_ratio: optional(ratio()),
  d: optional(count()),
  e: optional(integer()),
  f: optional(number()),
  g: optional(bool()),
  h: optional(text()),
})

function check(declared: typeof rtt | typeof kinds, line: string): string | null {
  const parsed = parseLine(line)
  if (!parsed.ok) throw new Error(parsed.reason)
  return compileLineCheck(declared)(parsed.fields)
}

describe('a line of a declared measurement', () => {
  it.each([
    'rtt rtt_s=0.01 lost=false peer=n2 run=r1',
    'rtt lost=true peer="12"',
    'rtt rtt_s=-0.001 lost=false peer=fd00::1',
  ])('%s fits', (line) => {
    expect(check(rtt, line)).toBeNull()
  })

  it.each([
    ['rtt lost=false', 'point rtt: field peer is missing; it must be text'],
    ['rtt lost=0 peer=n2', 'point rtt: field lost must be true or false'],
    ['rtt lost=true peer=12', 'point rtt: field peer must be text: a word that does not begin'],
    [
      'rtt lost=true peer=n2 rtt_s=nan',
      'point rtt: field rtt_s must be a finite number of seconds',
    ],
    ['rtt lost=true peer=n2 rtt_s=fast', 'point rtt: field rtt_s must be a finite number'],
    ['rtt lost=true peer=n2 ttl=3', 'point rtt has no field ttl; it has rtt_s, lost, peer'],
    ['rtt lost=true peer=n2 constructor=3', 'point rtt has no field constructor'],
  ])('%s does not: %s', (line, words) => {
    expect(check(rtt, line)).toContain(words)
  })

  it.each([
    ['a_s=inf', false],
    ['a_s=1e300', true],
    ['b_bytes=-1', false],
    ['b_bytes=1.5', false],
    ['b_bytes=9007199254740991', true],
    ['b_bytes=9007199254740993', false],
    ['c_ratio=nan', false],
    ['d=-1', false],
    ['d=0', true],
    ['e=-1', true],
    ['e=0.5', false],
    ['f=nan', true],
    ['f=-inf', true],
    ['f=9007199254740993', false],
    ['f=true', false],
    ['g="true"', false],
    ['h="3"', true],
  ])('of kinds: %s is %s', (field, fits) => {
    expect(check(kinds, `kinds ${field}`) === null).toBe(fits)
  })

  it('never throws, whatever the line, and a line that fits has declared fields alone', () => {
    const names = fc.constantFrom('rtt_s', 'lost', 'peer', 'run', 'x', 'constructor', 'to_string')
    const values = fc.oneof(
      fc.constantFrom('true', '0.5', '-1', 'nan', 'inf', '"a b"', 'word', '12345678901234567890'),
      fc.string().map((one) => JSON.stringify(one)),
    )
    const compiled = compileLineCheck(rtt)
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { minLength: 1 }), (fields) => {
        const parsed = parseLine(`rtt ${fields.map((pair) => pair.join('=')).join(' ')}`)
        if (!parsed.ok) return
        const reason = compiled(parsed.fields)
        if (reason !== null) expect(reason.length).toBeLessThan(500)
        else
          for (const field of Object.keys(parsed.fields))
            expect(['rtt_s', 'lost', 'peer', 'run']).toContain(field)
      }),
    )
  })
})
