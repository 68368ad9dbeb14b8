import {
  isLentAt,
  leastAmounts,
  lendsAll,
  LentHours,
  NewLentHours,
  nextLent,
  weekTimeIn,
} from '@community-lab/contract'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'

/** `mon 22:00` as a moment of the week. */
function at(text: string) {
  const [day = '', time = ''] = text.split(' ')
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  const weekday = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].indexOf(day)
  return { weekday, minute: hour * 60 + minute }
}

describe('hours at which a node is lent', () => {
  it.each([
    ['22:00-06:00', 'mon 22:00', true],
    ['22:00-06:00', 'tue 05:59', true],
    ['22:00-06:00', 'tue 06:00', false],
    ['22:00-06:00', 'mon 21:59', false],
    // The night that begins on Sunday ends on Monday.
    ['sun 22:00-06:00', 'mon 05:59', true],
    ['sun 22:00-06:00', 'sun 05:59', false],
    ['sat,sun 00:00-24:00', 'sun 23:59', true],
    ['sat,sun 00:00-24:00', 'mon 00:00', false],
    ['fri-mon 08:00-09:00', 'sun 08:30', true],
    ['fri-mon 08:00-09:00', 'thu 08:30', false],
    ['mon 08:00-08:00', 'tue 07:59', true],
    ['mon 08:00-08:00', 'tue 08:00', false],
  ])('%j at %s: %s', (hours, moment, expected) => {
    expect(Value.Check(LentHours, hours)).toBe(true)
    expect(isLentAt([[hours]], at(moment))).toBe(expected)
  })

  it.each(['22-06', '22:00-06', '25:00-06:00', '24:00-06:00', 'mo 22:00-06:00', 'mon', '', ' '])(
    'are refused as %j',
    (hours) => {
      expect(Value.Check(LentHours, hours)).toBe(false)
    },
  )

  it.each(['00:00-00:00', '06:00-06:00', 'mon 08:00-08:00', 'mon-fri,sun 22:30-22:30'])(
    'are no new setting as %j, which could mean never or always',
    (hours) => {
      expect(Value.Check(NewLentHours, hours)).toBe(false)
    },
  )

  it.each(['00:00-24:00', '06:00-05:59', 'mon 08:00-08:01', 'mon-fri,sun 22:00-06:00'])(
    'are a new setting as %j',
    (hours) => {
      expect(Value.Check(NewLentHours, hours)).toBe(true)
    },
  )

  it('hold together when both the registry and the device have some', () => {
    const both = [['20:00-08:00'], ['mon-fri 22:00-06:00']]
    expect([isLentAt(both, at('mon 23:00')), isLentAt(both, at('sat 23:00'))]).toEqual([
      true,
      false,
    ])
    expect([
      isLentAt([null, null], at('mon 12:00')),
      isLentAt([null, []], at('mon 12:00')),
    ]).toEqual([true, false])
  })

  it('begin again at the next moment that all lists have', () => {
    expect(nextLent([['22:00-06:00'], null], at('mon 12:00'))).toBe('mon 22:00')
    expect(nextLent([['22:00-06:00'], ['sat 23:00-24:00']], at('sun 12:00'))).toBe('sat 23:00')
    expect(nextLent([['08:00-09:00'], ['10:00-11:00']], at('sun 12:00'))).toBeNull()
    expect(nextLent([[]], at('sun 12:00'))).toBeNull()
  })

  it('are those of the time zone, also when its clocks are changed', () => {
    expect(weekTimeIn('UTC', new Date('2026-03-29T00:59:00Z'))).toEqual(at('sun 00:59'))
    expect(weekTimeIn('Europe/Madrid', new Date('2026-03-29T00:59:00Z'))).toEqual(at('sun 01:59'))
    expect(weekTimeIn('Europe/Madrid', new Date('2026-03-29T01:00:00Z'))).toEqual(at('sun 03:00'))
    expect(weekTimeIn('Asia/Kolkata', new Date('2026-03-29T20:00:00Z'))).toEqual(at('mon 01:30'))
  })
})

it('of two lists of amounts the smaller one holds, and interfaces that both lend', () => {
  const one = { ...lendsAll, memory_mib: 512, rate_mbps: 10, interfaces: ['public6' as const] }
  const other = { ...lendsAll, memory_mib: 256, slivers: 3, interfaces: [] }
  expect(leastAmounts(one, other)).toEqual({
    slivers: 3,
    memory_mib: 256,
    disk_mib: null,
    processes: null,
    cpu_pct: null,
    rate_mbps: 10,
    interfaces: [],
  })
})
