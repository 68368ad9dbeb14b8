import {
  effectiveSetState,
  isFailed,
  parseSliverId,
  settledState,
  sliverId,
  sliverStates,
  type SliceSetState,
} from '@community-lab/contract'
import { describe, expect, test } from 'vitest'

const [r, d, s] = ['register', 'deploy', 'start'] as const

describe('the state wanted of a sliver', () => {
  // Slice, sliver's default, then the result for a sliver that says nothing, register, deploy, start. Written out by hand from
  // CONFINE's rule: the lower of the slice's and of the sliver's own, or where it has none the default.
  const table: readonly (readonly SliceSetState[])[] = [
    [r, r, r, r, r, r],
    [r, d, r, r, r, r],
    [r, s, r, r, r, r],
    [d, r, r, r, d, d],
    [d, d, d, r, d, d],
    [d, s, d, r, d, d],
    [s, r, r, r, d, s],
    [s, d, d, r, d, s],
    [s, s, s, r, d, s],
  ]
  const own = [null, r, d, s] as const
  const cases = table.flatMap(([slice, byDefault, ...results]) =>
    own.map((sliver, at) => ({ slice, byDefault, sliver, wanted: results[at] })),
  )

  test('is told by a table of all 36 combinations', () => {
    expect(cases).toHaveLength(36)
  })

  test.each(cases)(
    'slice $slice, default $byDefault, sliver $sliver: $wanted',
    ({ slice = r, byDefault = r, sliver, wanted }) => {
      expect(effectiveSetState(slice, sliver, byDefault)).toBe(wanted)
    },
  )
})

test('what is wanted is reached in the state of the same rank', () => {
  expect(settledState('register')).toBe('registered')
  expect(settledState('deploy')).toBe('deployed')
  expect(settledState('start')).toBe('started')
})

test('exactly the fail_ states are failures', () => {
  expect(sliverStates.filter(isFailed)).toEqual(['fail_allocate', 'fail_deploy', 'fail_start'])
})

describe('a sliver’s id', () => {
  test('is slice@node, and is read back', () => {
    expect(sliverId(987654321, 12345)).toBe('987654321@12345')
    expect(parseSliverId('987654321@12345')).toEqual({ sliceId: 987654321, nodeId: 12345 })
  })

  test.each([
    '',
    '1',
    '@',
    '1@',
    '@1',
    '0@1',
    '1@0',
    '01@1',
    '1@1 ',
    '1@1@1',
    'a@b',
    '-1@1',
    '9876543210@1',
  ])('%j is none', (id) => {
    expect(parseSliverId(id)).toBeNull()
  })
})
