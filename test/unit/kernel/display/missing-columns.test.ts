import { inspect } from 'node:util'
import type { Markish } from '@observablehq/plot'
import { describe, expect, it } from 'vitest'
import { Plot } from '../../../../kernel/src/display/plot.ts'

const rows = Array.from({ length: 12 }, (_, index) => ({
  node: `n${index % 3}`,
  rtt_s: 0.01 + index / 1000,
  at: new Date(1e12 + index * 1000),
  lost: 0,
  note: 'a text',
  none: null,
}))

/** A mark, or several in one. */
interface Plotted {
  plot(): Element
}

const noteOf = (figure: Element): string => inspect(figure).split('\n').slice(1).join('\n')

describe('a column that no row has is named, with the nearest that exists', () => {
  const timed = { x: 'at', y: 'rtt_s' } as const
  const summed = { x: 'rtt_s', y: 'rtt_ns' } as const

  it.each<[string, Plotted]>([
    ['bar', Plot.barY(rows, { x: 'node', y: 'rtt_ns' })],
    ['bar', Plot.barX(rows, { y: 'node', x: 'rtt_ns' })],
    ['bar', Plot.barY(rows, Plot.groupX({ y: 'mean' }, { x: 'node', y: 'rtt_ns' }))],
    ['bar', Plot.barY(rows, Plot.stackY({ x: 'node', y: 'rtt_ns' }))],
    ['bar', Plot.barY(rows, { x: 'node', y: (row: object) => Number(Reflect.get(row, 'rtt_ns')) })],
    ['rect', Plot.rectY(rows, Plot.binX({ y: 'count' }, { x: 'rtt_ns' }))],
    ['rect', Plot.rectY(rows, Plot.binX({ y: 'sum' }, summed))],
    ['area', Plot.areaY(rows, { x: 'at', y: 'rtt_ns' })],
    ['waffle', Plot.waffleY(rows, { x: 'node', y: 'rtt_ns' })],
    ['cell', Plot.cell(rows, Plot.groupX({ fill: 'mean' }, { x: 'node', fill: 'rtt_ns' }))],
    ['line', Plot.lineY(rows, Plot.windowY(3, { x: 'at', y: 'rtt_ns' }))],
    ['line', Plot.lineY(rows, Plot.normalizeY({ x: 'at', y: 'rtt_ns' }))],
    ['dot (x)', Plot.dot(rows, Plot.dodgeY({ x: 'rtt_ns' }))],
    ['dot (x)', Plot.dot(rows, Plot.hexbin({ fill: 'count' }, { x: 'rtt_ns', y: 'lost' }))],
    ['dot', Plot.dot(rows, Plot.hexbin({ fill: 'mean' }, { ...timed, fill: 'rtt_ns' }))],
    ['density (x)', Plot.density(rows, { x: 'rtt_ns', y: 'lost' })],
    ['linear-regression (y)', Plot.linearRegressionY(rows, { x: 'at', y: 'rtt_ns' })],
    ['rule, bar, tick, and dot', Plot.boxY(rows, { x: 'node', y: 'rtt_ns' })],
    ['area and line', Plot.bollingerY(rows, { x: 'at', y: 'rtt_ns' })],
    ['line (z)', Plot.lineY(rows, { ...timed, z: 'rtt_ns' })],
    ['dot (r)', Plot.dot(rows, { ...timed, r: 'rtt_ns' })],
    ['dot (symbol)', Plot.dot(rows, { ...timed, symbol: 'rtt_ns' })],
    ['dot (title)', Plot.dot(rows, { ...timed, title: 'rtt_ns' })],
    ['dot (lossy)', Plot.dot(rows, { ...timed, channels: { lossy: 'rtt_ns' } })],
    ['dot (fx)', Plot.dot(rows, { ...timed, fx: 'rtt_ns' })],
    ['text (text)', Plot.text(rows, { ...timed, text: 'rtt_ns' })],
    ['text', Plot.text(rows, Plot.selectMaxY({ ...timed, z: 'rtt_ns' }))],
    ['vector (rotate)', Plot.vector(rows, { ...timed, rotate: 'rtt_ns' })],
    ['dot', Plot.dot(rows, { ...timed, filter: 'rtt_ns' })],
    ['line', Plot.lineY(rows, { ...timed, sort: 'rtt_ns' })],
  ])('%s', (reader, mark) => {
    const [, names, channel = ''] = /^(.*?)( \(\w+\))?$/u.exec(reader) ?? []
    const reads = reader.includes(' and ') ? 'read' : 'reads'
    expect(noteOf(mark.plot())).toBe(
      `⚠ ${names} ${reads} the column rtt_ns${channel}, which no row has; did you mean rtt_s?`,
    )
  })

  it('in the facets of a figure, and as a colour that does not exist', () => {
    const dot = Plot.dot(rows, timed)
    expect(noteOf(Plot.plot({ facet: { data: rows, x: 'nodes' }, marks: [dot] }))).toBe(
      '⚠ facet reads the column nodes (x), which no row has; did you mean node?',
    )
    expect(noteOf(Plot.dot(rows, { ...timed, fill: 'stelblue' }).plot())).toBe(
      '⚠ dot reads the column stelblue (fill), which no row has and which is no colour; the columns are node, rtt_s, at, lost, note, none',
    )
  })

  it('in the error of a mark that cannot be drawn without it', () => {
    expect(() => Plot.tree(rows, { path: 'nodes' }).plot()).toThrow(
      'the figure was not drawn: link reads the column nodes, which no row has; did you mean node?',
    )
  })
})

it('bars without a height or a length are told when their column has no number', () => {
  for (const column of ['note', 'none']) {
    const mean = Plot.groupX({ y: 'mean' }, { x: 'node', y: column })
    for (const options of [{ x: 'node', y: column }, mean])
      expect(noteOf(Plot.barY(rows, options).plot())).toBe(
        `⚠ no bar has a height; no row has a number in the column ${column}`,
      )
    expect(noteOf(Plot.barX(rows, { y: 'node', x: column }).plot())).toBe(
      `⚠ no bar has a length; no row has a number in the column ${column}`,
    )
  }
})

describe('there is no note', () => {
  it.each<[string, Plotted]>([
    ['bars of zeros', Plot.barY(rows, { x: 'node', y: 'lost' })],
    ['means of zeros', Plot.barY(rows, Plot.groupX({ y: 'mean' }, { x: 'node', y: 'lost' }))],
    ['colours and symbols', Plot.dot(rows, { x: 'at', stroke: 'red', r: 3, symbol: 'star' })],
    ['the order of a domain', Plot.barY(rows, { x: 'node', y: 'rtt_s', sort: { x: '-y' } })],
    ['a column that only some rows have', Plot.dot([{ a: 1 }, { a: 2, b: 3 }], { x: 'a', r: 'b' })],
    ['numbers', Plot.rectY([1, 2, 3], Plot.binX())],
    [
      'points',
      Plot.line([
        [1, 2],
        [2, 3],
      ]),
    ],
    ['properties of features', Plot.dot([{ type: 'Feature', properties: { a: 1 } }], { x: 'a' })],
    ['functions that read optional members', Plot.dot(rows, { x: 'at', title: optionalOf })],
    ['rules', Plot.ruleY([0])],
  ])('about %s', (_what, mark) => {
    expect(noteOf(mark.plot())).toBe('')
  })
})

it('functions of a notebook get the rows themselves', () => {
  const colors = new Map<unknown, string>(rows.map((row) => [row, 'red']))
  const figure = Plot.dot(rows, { x: 'at', fill: (row) => colors.get(row) ?? 'none' }).plot()
  expect(figure.querySelectorAll('circle[fill="red"]')).toHaveLength(rows.length)
})

function optionalOf(row: object): unknown {
  return Reflect.get(row, 'comment') ?? 'none'
}

describe('a function that adds up values is called once for each row', () => {
  const steps = [{ v: 10 }, { v: 20 }, { v: 30 }].map((row, at) => ({ ...row, at }))

  it.each<[string, (y: (row: { v: number }) => number) => object]>([
    ['dot', (y) => Plot.dot(steps, { x: 'at', y })],
    ['stacked', (y) => Plot.areaY(steps, { x: 'at', y })],
    ['grouped', (y) => Plot.barY(steps, Plot.groupX({ y: 'max' }, { x: 'at', y }))],
    ['with a label', (y) => Plot.lineY(steps, { x: 'at', y: { value: y, label: 'sum' } })],
    ['as more', (y) => Plot.dot(steps, { x: 'at', y: 'v', channels: { sum: y }, tip: true })],
  ])('%s', (_name, make) => {
    let sum = 0
    Plot.plot({ marks: [make((row) => (sum += row.v)) as Markish] })
    expect(sum).toBe(60)
  })
})
