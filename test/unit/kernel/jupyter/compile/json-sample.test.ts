import { expect, it } from 'vitest'
import { sampleJson } from '../../../../../kernel/src/jupyter/compile/json-sample.ts'

it('keeps an item of each shape of a large file, at every depth', () => {
  const rows = Array.from({ length: 3000 }, (_, id) => ({
    id,
    hops: id % 2 === 0 ? null : [{ rtt: id }, { rtt: id, lost: true }, { rtt: id }],
    'a "name"': [[], [id], ['text', id]],
  }))
  expect(JSON.parse(sampleJson(JSON.stringify({ rows, last: 'x' })))).toEqual({
    rows: [
      { id: 0, hops: null, 'a "name"': [[], [0], ['text', 0]] },
      { id: 1, hops: [{ rtt: 1 }, { rtt: 1, lost: true }], 'a "name"': [[], [1], ['text', 1]] },
    ],
    last: 'x',
  })
})

it('does not change small files and text that is not JSON', () => {
  const broken = `[${'1,'.repeat(20_000)}`
  expect([sampleJson('[1, 1]'), sampleJson(broken)]).toEqual(['[1, 1]', broken])
})
