import { expect, it } from 'vitest'
import {
  countProgramBytes,
  findOtherMember,
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
