import { expect, it } from 'vitest'
import { createHistory, type History } from '../../../../kernel/src/jupyter/history.ts'

/** Make a history of these inputs, counted from 1. */
function historyOf(inputs: readonly string[]): History {
  const history = createHistory()
  for (const [at, input] of inputs.entries()) history.add(at + 1, input)
  return history
}

const lines = (found: readonly unknown[]): unknown[] =>
  found.map((entry) => (entry as readonly unknown[])[1])

it('gives the last inputs', () => {
  const history = historyOf(['a', 'b', 'c'])
  expect(history.find({ hist_access_type: 'tail', n: 2 })).toEqual([
    [0, 2, 'b'],
    [0, 3, 'c'],
  ])
})

it('gives a range of lines, also counted from the end', () => {
  const history = historyOf(['a', 'b', 'c', 'd'])
  const range = (start: number, stop?: number): unknown[] =>
    lines(history.find({ hist_access_type: 'range', session: 0, start, stop }))
  expect(range(1, 3)).toEqual([1, 2])
  expect(range(3)).toEqual([3, 4])
  expect(range(-2)).toEqual([3, 4])
  expect(range(1, -1)).toEqual([1, 2, 3])
  expect(history.find({ hist_access_type: 'range', session: 7, start: 0, stop: 9 })).toEqual([])
})

it('finds inputs by a pattern; with `unique`, the latest of equal ones', () => {
  const history = historyOf(['x = 1', 'y = 2', 'x = 1', 'y = 3', 'x = [1]'])
  const search = (rest: object): unknown[] =>
    lines(history.find({ hist_access_type: 'search', ...rest }))
  expect(search({ pattern: 'x*' })).toEqual([1, 3, 5])
  expect(search({ pattern: 'y = ?' })).toEqual([2, 4])
  expect(search({ pattern: 'x*', unique: true })).toEqual([3, 5])
  expect(search({ pattern: '*', unique: true, n: 3 })).toEqual([3, 4, 5])
  expect(search({ pattern: 'x = [1]' })).toEqual([5])
})

it('gives results with their inputs', () => {
  const history = historyOf(['1 + 1', 'let a = 1'])
  history.addOutput(1, '2')
  expect(history.find({ hist_access_type: 'tail', n: 2, output: true })).toEqual([
    [0, 1, ['1 + 1', '2']],
    [0, 2, ['let a = 1', null]],
  ])
})
