import {
  bool,
  bytes,
  checkPoint,
  checkPoints,
  columnsOfPoint,
  count,
  isReadable,
  labelsOf,
  LabError,
  maxPointsBytes,
  number,
  openTelemetryNames,
  optional,
  point,
  prometheusNames,
  ratio,
  RunPoint,
  seconds,
  text,
  type Point,
} from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const link = point('link', {
  rtt_s: optional(seconds('round trip')),
  rx_bytes_total: bytes('received'),
  loss_ratio: ratio(),
  signal_dbm: number('signal', 'dBm'),
  probes_total: count('sent'),
  up: bool(),
  peer: text(),
})

describe('a point', () => {
  it('is plain data, which is the same after the wire and fits its schema', () => {
    const wire: unknown = JSON.parse(JSON.stringify(link))
    expect(wire).toEqual(link)
    expect(isReadable(RunPoint, wire)).toBe(true)
    expect(link.fields.rtt_s).toEqual({
      kind: 'seconds',
      unit: 's',
      help: 'round trip',
      is_optional: true,
    })
  })

  it.each([
    ['Rtt', { rtt_s: seconds() }, 'its name must be [a-z][a-z0-9_]*'],
    ['run_end', { a: text() }, 'that of a table of the testbed'],
    ['rtt', {}, 'it has no fields'],
    ['rtt', { rtt: seconds() }, 'is in s, so its name must end with _s: rtt_s'],
    ['net', { rx_total: bytes() }, 'must end with _bytes: rx_bytes_total'],
    ['rtt', { rtt_ms: seconds() }, 'measure seconds, in a field whose name ends with _s'],
    ['rtt', { rtt_s: number() }, "declared without a unit: declare it as seconds('…')"],
    ['rtt', { rtt_s: count() }, "declare it as seconds('…')"],
    ['rtt', { rtt_s: bytes() }, "declared in bytes: declare it as seconds('…')"],
    ['radio', { signal_dbm: number() }, "declare it as number('…', 'dBm')"],
    ['radio', { signal: number('', 'dBm') }, 'must end with _dbm: signal_dbm'],
    ['cpu', { busy_percent: number() }, 'measure a ratio (0.5 for 50 percent)'],
    ['rtt', { time: text() }, 'field name time is reserved'],
    ['rtt', { run: text() }, 'is that of a column of each table'],
    ['rtt', { a_as_text: text() }, 'reserved, for it ends with _as_text'],
    ['rtt', { a: 5 }, 'is no declaration such as seconds('],
    ['rtt', { a: { ...text(), unit: 's' } }, 'is text, whose unit is none, not s'],
    ['rtt', { a: text('x'.repeat(257)) }, 'has 257 characters, and may have 256'],
  ])('%s with %o is refused in words', (name, fields, words) => {
    expect(checkPoint({ name, fields })).toContain(words)
    expect(() => point(name, fields as never)).toThrow(
      expect.objectContaining({ code: 'LAB_POINT_INVALID' }),
    )
  })

  it('has units that are no base of a name, and texts whose names look like units', () => {
    expect(checkPoint(point('queue', { length: number('', 'packets') }))).toBeNull()
    expect(checkPoint(point('dns', { record_a: text(), has_v: bool() }))).toBeNull()
    expect(checkPoint(point('ping', { rtt_min: number() }))).toBeNull()
  })

  it('says what is wrong', () => {
    const wrong = () => point('rtt', { rtt: seconds() })
    expect(wrong).toThrow(LabError)
    expect(wrong).toThrow(
      'point "rtt" cannot be declared: field rtt is in s, so its name must end with _s: rtt_s',
    )
  })
})

it('the points of a run have distinct names and a bound of bytes', () => {
  const one = point('rtt', { peer: text() })
  expect(checkPoints([one, one])).toBe('point rtt is declared twice')
  const fields = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`f${index}`, text('x'.repeat(200))]),
  )
  expect(checkPoints([point('large', fields)])).toContain(`may have ${maxPointsBytes}`)
  expect(checkPoints([link, one])).toBeNull()
})

it('has the columns of its table and dataset', () => {
  expect(columnsOfPoint(link).map(({ name, type, unit }) => [name, type, unit])).toEqual([
    ['rtt_s', 'DOUBLE', 's'],
    ['rx_bytes_total', 'BIGINT', 'bytes'],
    ['loss_ratio', 'DOUBLE', 'ratio'],
    ['signal_dbm', 'DOUBLE', 'dBm'],
    ['probes_total', 'BIGINT', null],
    ['up', 'BOOLEAN', null],
    ['peer', 'VARCHAR', null],
  ])
})

it('has the names of Prometheus and of OpenTelemetry', () => {
  expect(prometheusNames(link).map(({ name, type }) => `${name} ${type}`)).toEqual([
    'community_lab_link_rtt_seconds gauge',
    'community_lab_link_rx_bytes_total counter',
    'community_lab_link_loss_ratio gauge',
    'community_lab_link_signal_dbm gauge',
    'community_lab_link_probes_total counter',
    'community_lab_link_up gauge',
  ])
  expect(
    openTelemetryNames(link).map((one) => `${one.name} ${one.instrument} ${one.unit}`),
  ).toEqual([
    'community_lab.link.rtt gauge s',
    'community_lab.link.rx counter By',
    'community_lab.link.loss gauge 1',
    'community_lab.link.signal gauge dB[mW]',
    'community_lab.link.probes counter {count}',
    'community_lab.link.up gauge 1',
  ])
  expect(labelsOf(link)).toEqual(['peer'])
})

describe('any declaration', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.record({
      kind: fc.constantFrom('seconds', 'bytes', 'number', 'text', 'boolean', 'constructor'),
      unit: fc.option(fc.constantFrom('s', 'bytes', 'dBm', '', '__proto__')),
      help: fc.string({ maxLength: 300 }),
      is_optional: fc.boolean(),
    }),
  )
  const names = fc.constantFrom(
    'rtt_s',
    'a',
    '__proto__',
    'rx_bytes',
    'constructor',
    'toString',
    '',
  )

  it('is refused with a reason, or is a point whose names, columns and schema are right', () => {
    fc.assert(
      fc.property(fc.oneof(names, fc.string()), fc.dictionary(names, anything), (name, fields) => {
        const reason = checkPoint({ name, fields })
        if (reason !== null) return reason.length < 1000
        const made = { name, fields } as Point
        expect(isReadable(RunPoint, made)).toBe(true)
        for (const { name: metric } of prometheusNames(made))
          expect(metric).toMatch(/^[a-z][a-z0-9_]*$/u)
        expect(columnsOfPoint(made)).toHaveLength(Object.keys(fields).length)
        return true
      }),
    )
  })
})
