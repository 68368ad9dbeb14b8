import { expect, it } from 'vitest'
import {
  expiry,
  nodeClock,
  nodeCount,
  parameter,
  pastTime,
  port,
} from '../../../server/cli/src/command/option.ts'

it('reads numbers in their range', () => {
  expect([nodeCount('1'), nodeCount('100'), port('65535')]).toEqual([1, 100, 65_535])
})

it.each(['0', '101', '-1', '1.5', '5x', '', ' 5'])('refuses %j nodes', (text) => {
  expect(() => nodeCount(text)).toThrow('from 1 to 100')
})

it.each(['0', '65536', 'http'])('refuses port %j', (text) => {
  expect(() => port(text)).toThrow('from 1 to 65535')
})

it('collects parameters, whatever their values have in them', () => {
  expect(parameter('b=x=y z', parameter('a=', []))).toEqual(['a=', 'b=x=y z'])
})

it.each(['a', '=1', '1a=2', 'a-b=2'])('refuses parameter %j', (text) => {
  expect(() => parameter(text, [])).toThrow('NAME=VALUE')
})

it('reads an expiry as a date or as days from now', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(expiry('30d', now)).toBe('2026-01-31T00:00:00.000Z')
  expect(expiry('2026-05-01', now)).toBe('2026-05-01T00:00:00.000Z')
  expect(() => expiry('soon', now)).toThrow('date')
})

it('reads a past time as a date, as RFC 3339 or as an age', () => {
  const now = Date.parse('2026-01-31T00:00:00Z')
  expect(pastTime('30d', now)).toBe('2026-01-01T00:00:00.000Z')
  expect(pastTime('12h', now)).toBe('2026-01-30T12:00:00.000Z')
  expect(pastTime('2026-01-02', now)).toBe('2026-01-02T00:00:00.000Z')
  expect(pastTime('2026-01-02T12:00:00+02:00', now)).toBe('2026-01-02T10:00:00.000Z')
})

it.each([
  '5',
  '2026',
  '7 days ago 2026',
  'May 4',
  '2026-01-02T12:00:00',
  '0002-01-01',
  '2026-13-01',
])('takes %j for no time, rather than for another one', (text) => {
  expect(() => pastTime(text)).toThrow('such as')
  expect(() => expiry(text)).toThrow('such as')
})

it('reads the clocks of virtual nodes, the last one of each', () => {
  const texts = ['n2=+5', 'n3=-0.25s', 'n2=7']
  expect(
    texts.reduce<ReturnType<typeof nodeClock>>((clocks, text) => nodeClock(text, clocks), []),
  ).toEqual([
    { node: 'n3', aheadS: -0.25 },
    { node: 'n2', aheadS: 7 },
  ])
  for (const text of ['n2', 'n2=', '2=5', 'n0=5', 'n2=5m', 'n2=1e12', 'n2=10000000000', 'n2=NaN'])
    expect(() => nodeClock(text, [])).toThrow('such as n2=+5')
})
