import { inspect } from 'node:util'
import type { DotOptions, Markish } from '@observablehq/plot'
import { describe, expect, it } from 'vitest'
import { Plot } from '../../../../kernel/src/display/plot.ts'

const rows = [
  { a: 1, v: Infinity, w: 1 },
  { a: 2, v: 3, w: 1 },
  { a: 3, v: 5, w: -Infinity },
]

const noteOf = (figure: Element): string => inspect(figure).split('\n').slice(1).join('\n')

const sentence = '⚠ 1 of 3 values of v are not drawn: they are infinite, as after a division by 0'

describe('an infinite value is not drawn, and a note says so', () => {
  it('where a single finite value is left', () => {
    const figure = Plot.plot({ marks: [Plot.dot(rows.slice(0, 2), { x: 'a', y: 'v' })] })
    expect(figure.querySelectorAll('circle')).toHaveLength(1)
    expect(figure.scale('y')?.domain).toEqual([3, 3])
    expect(noteOf(figure)).toBe(sentence.replace('of 3', 'of 2'))
  })

  it.each<[string, Markish]>([
    ['dot', Plot.dot(rows, { x: 'a', y: 'v' })],
    ['radius', Plot.dot(rows, { x: 'a', r: 'v' })],
    ['colour', Plot.dot(rows, { x: 'a', fill: 'v' })],
    ['line', Plot.lineY(rows, { x: 'a', y: 'v' })],
    ['bar', Plot.barY(rows, { x: 'a', y: 'v' })],
    ['dodged dot', Plot.dot(rows, Plot.dodgeY({ x: 'v' }))],
    ['hexagon', Plot.dot(rows, Plot.hexbin({ fill: 'count' }, { x: 'v', y: 'a' }))],
    ['density', Plot.density(rows, { x: 'v', y: 'a' })],
    ['facets', Plot.dot(rows, { fx: 'a', y: 'v' })],
  ])('%s', (_name, mark) => {
    const figure = Plot.plot({ marks: [mark] })
    expect(noteOf(figure)).toBe(sentence)
    expect(figure.outerHTML).not.toMatch(/Infinity|NaN/u)
  })

  it('on a map', () => {
    const marks = [Plot.dot(rows, { x: 'v', y: 'a' })]
    const figure = Plot.plot({ projection: 'equirectangular', marks })
    expect(noteOf(figure)).toBe(sentence)
  })

  it('on a logarithmic axis, where it is not told as 0 or less', () => {
    const mark = Plot.dot(rows, { x: 'a', y: 'w' })
    expect(noteOf(Plot.plot({ y: { type: 'log' }, marks: [mark] }))).toBe(
      sentence.replace('of v', 'of w'),
    )
  })

  it('once for two marks of the same rows, and in place of a note that a mark is empty', () => {
    const options = { x: 'a', y: 'v' }
    const both = [Plot.line(rows, options), Plot.dot(rows, options)]
    expect(noteOf(Plot.plot({ marks: both }))).toBe(sentence)
    const none = Plot.dot(rows.slice(0, 1), options)
    expect(noteOf(Plot.plot({ marks: [none] }))).toBe(sentence.replace('of 3', 'of 1'))
  })

  it('with those that are stacked on it', () => {
    const mark = Plot.barY(rows, { y: 'v' })
    expect(noteOf(Plot.plot({ marks: [mark] }))).toBe(
      '⚠ 3 of 3 values of v are not drawn: they are infinite, as after a division by 0, or stacked on one that is',
    )
  })
})

describe('a histogram has bins of finite values, and a note tells of the others', () => {
  interface Value {
    readonly v: number
    readonly w: number
  }
  const values: readonly Value[] = [1, 2, 2.5, Infinity, 4, 9].map((v) => ({
    v,
    w: v === 9 ? -Infinity : v,
  }))
  const columnOf = ({ v }: Value): number => v
  const coloured = { x: 'v', fill: ({ v }: Value) => v > 3 }
  const rects = (mark: Markish): readonly string[] =>
    [...Plot.plot({ marks: [mark] }).querySelectorAll('rect')].map(({ outerHTML }) => outerHTML)

  it.each<[string, string, (of: readonly Value[]) => Markish]>([
    ['binX', 'v', (of) => Plot.rectY(of, Plot.binX({ y: 'count' }, { x: 'v' }))],
    ['binY', 'v', (of) => Plot.rectX(of, Plot.binY({ x: 'count' }, { y: 'v' }))],
    ['bin', 'v', (of) => Plot.rect(of, Plot.bin({ fill: 'count' }, { x: 'v', y: 'v' }))],
    [
      'thresholds of its own',
      'v',
      (of) =>
        Plot.rectY(of, Plot.binX({ y: 'count' }, { x: { value: 'v', thresholds: [0, 3, 6] } })),
    ],
    ['a function', 'x', (of) => Plot.rectY(of, Plot.binX({ y: 'count' }, { x: columnOf }))],
    ['colours', 'v', (of) => Plot.rectY(of, Plot.binX({ y: 'count' }, coloured))],
    [
      'the rows themselves',
      'x',
      (of) => Plot.rectY(of.map(columnOf), Plot.binX({ y: 'count' }, {})),
    ],
  ])('%s', (_name, label, mark) => {
    const expected = rects(mark(values.filter(isFiniteRow)))
    expect(expected.length).toBeGreaterThan(1)
    expect(rects(mark(values))).toEqual(expected)
    expect(noteOf(Plot.plot({ marks: [mark(values)] }))).toBe(
      sentence.replace('of 3', 'of 6').replace('of v', `of ${label}`),
    )
  })

  it.each<[string, DotOptions, string]>([
    ['binX', Plot.binX({ x: 'mean', y: 'count' }, { x: 'v' }), 'cx'],
    ['binY', Plot.binY({ y: 'mean', x: 'count' }, { y: 'v' }), 'cy'],
    ['bin', Plot.bin({ x: 'mean', y: 'max' }, { x: 'v', y: 'v' }), 'cx'],
  ])('and what %s computes of the values in each bin is that of Plot', (_name, options, at) => {
    const placesOf = (of: readonly Value[]): readonly (string | null)[] =>
      [...Plot.plot({ marks: [Plot.dot(of, options)] }).querySelectorAll('circle')].map((dot) =>
        dot.getAttribute(at),
      )
    expect(placesOf(values).length).toBeGreaterThan(1)
    expect(placesOf(values)).toEqual(placesOf(values.filter(isFiniteRow)))
  })

  it('of both signs', () => {
    const mark = Plot.rectY(values, Plot.binX({ y: 'count' }, { x: 'w' }))
    expect(noteOf(Plot.plot({ marks: [mark] }))).toBe(
      sentence.replace('1 of 3', '2 of 6').replace('of v', 'of w'),
    )
  })

  it('but not of those that a filter leaves out, and once where a figure is drawn twice', () => {
    const options = { x: 'v', filter: isFiniteRow }
    const filtered = Plot.rectY(values, Plot.binX({ y: 'count' }, options))
    expect(noteOf(Plot.plot({ marks: [filtered] }))).toBe('')
    const counted = Plot.rectY(values, Plot.binX({ y: 'count' }, { x: 'v' }))
    const figure = Plot.plot({ y: { type: 'log' }, marks: [counted] })
    expect(noteOf(figure)).toBe(sentence.replace('of 3', 'of 6'))
  })

  it('in place of a note that a mark is empty', () => {
    const mark = Plot.rectY(values.slice(3, 4), Plot.binX({ y: 'count' }, { x: 'v' }))
    expect(noteOf(Plot.plot({ marks: [mark] }))).toBe(sentence.replace('of 3', 'of 1'))
  })
})

describe('there is no note about an infinite value', () => {
  it.each([
    ['that a filter leaves out', { marks: [Plot.dot(rows, { y: 'v', filter: isFiniteRow })] }],
    ['that is a name on an axis', { marks: [Plot.cell(rows, { x: 'v' })] }],
    ['at the end of a clamped axis', { y: { clamp: true }, marks: [Plot.dot(rows, { y: 'v' })] }],
    [
      'above the last threshold',
      { color: { type: 'threshold', domain: [4] }, marks: [Plot.dot(rows, { x: 'a', fill: 'v' })] },
    ],
  ] as const)('%s', (_name, options) => {
    expect(noteOf(Plot.plot({ ...options, marks: [...options.marks] }))).toBe('')
  })
})

function isFiniteRow(row: { readonly v: number }): boolean {
  return Number.isFinite(row.v)
}
