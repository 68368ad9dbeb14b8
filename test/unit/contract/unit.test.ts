import { expect, it } from 'vitest'
import { maybeUnitOf } from '@community-lab/contract'

it.each([
  ['rtt_s', 's'],
  ['uptime_seconds', 's'],
  ['cpu_user_seconds_total', 's'],
  ['memory_total_bytes', 'bytes'],
  ['receive_bytes_total', 'bytes'],
  ['receive_packets_total', null],
  ['cpu_utilization_ratio', 'ratio'],
  ['load1', null],
  ['s', null],
  ['_total', null],
])('the column %s has the unit %s', (column, unit) => {
  expect(maybeUnitOf(column)).toBe(unit)
})
