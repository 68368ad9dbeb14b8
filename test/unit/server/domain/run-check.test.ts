import { count, integer, number, point, seconds, text } from '@community-lab/contract'
import { expect, it } from 'vitest'
import {
  countProgramBytes,
  findOtherMember,
  findPointConflict,
  findRunIssues,
} from '../../../../server/src/domain/run-check.ts'

const around = { nodeIds: new Set([1, 2]), sliceEndsOn: new Date('2026-02-01T00:00:00Z') }

it('the bytes of programs are those of scripts, arguments and environments', () => {
  expect(countProgramBytes([{ on: [1], script: 'ü', args: ['ab'], env: { KEY: 'x' } }])).toBe(8)
  expect(countProgramBytes([{ on: [1], argv: ['a', 'b'] }])).toBe(2)
})

it('a sliver runs one program of a run, and a run starts before its slice ends', () => {
  const programs = [
    { on: [1], script: 'a' },
    { on: [2, 1], script: 'b' },
  ]
  const run = { name: 'r', programs, start_at: '2026-02-01T00:00:00Z' }
  expect(findRunIssues(run, around).map(({ pointer }) => pointer)).toEqual([
    '/programs/1/on/1',
    '/start_at',
  ])
})

it('descriptions are alike whatever the order of their members, and another time is another run', () => {
  const programs = [{ on: [1, 2], script: 'a', env: { A: '1', B: '2' } }]
  const wanted = { name: 'r', programs, start_at: '2026-01-01T00:00:00Z' }
  const known = {
    programs: [{ on: [2, 1], script: 'a', env: { B: '2', A: '1' }, args: [] }],
    start_at: '2026-01-01T00:00:00.000Z',
    limit_ms: null,
  }
  expect(findOtherMember(wanted, known)).toBeNull()
  expect(findOtherMember({ ...wanted, start_at: null }, known)).toBe('start_at')
  expect(findOtherMember({ ...wanted, limit_ms: 5000 }, known)).toBe('limit_ms')
  expect(findOtherMember({ ...wanted, programs: [{ on: [1], script: 'a' }] }, known)).toBe(
    'programs',
  )
})

it('a run with other points is another run, in whatever order they are declared', () => {
  const programs = [{ on: [1], script: 'a' }]
  const rtt = point('rtt', { rtt_s: seconds(), peer: text() })
  const same = point('rtt', { peer: text(), rtt_s: seconds() })
  const known = {
    programs,
    start_at: null,
    limit_ms: null,
    points: [rtt, point('a', { b: text() })],
  }
  const wanted = { name: 'r', programs, points: [point('a', { b: text() }), same] }
  expect(findOtherMember(wanted, known)).toBeNull()
  expect(findOtherMember({ ...wanted, points: [rtt] }, known)).toBe('points')
  expect(findOtherMember({ name: 'r', programs }, known)).toBe('points')
  expect(findOtherMember({ name: 'r', programs }, { ...known, points: [] })).toBeNull()
})

it('points that contradict those of an earlier run of the slice are found; more fields and other words are no contradiction', () => {
  const known = [{ run: 'first', point: point('radio', { signal: count('of something') }) }]
  const more = point('radio', { signal: integer('another word'), noise_dbm: number('', 'dBm') })
  expect(findPointConflict([more], known)).toBeNull()
  expect(findPointConflict([point('radio', { signal: text() })], known)).toEqual({
    point: 'radio',
    run: 'first',
    reason: 'field signal is text, and was a whole number',
  })
  expect(findPointConflict([point('other', { signal: text() })], known)).toBeNull()
})

it('points that nobody could have made by point(…) are refused', () => {
  const wrong = {
    name: 'rtt',
    fields: { rtt_ms: { kind: 'seconds', unit: 's', help: '', is_optional: false } },
  } as const
  const run = { name: 'r', programs: [{ on: [1], script: 'a' }], points: [wrong] }
  const [issue] = findRunIssues(run, around)
  expect(issue?.pointer).toBe('/points')
  expect(issue?.message).toContain('measure seconds, in a field whose name ends with _s')
})
