import { inspect } from 'node:util'
import { LabError } from '@community-lab/contract'
import type { AutoOptions } from '@observablehq/plot'
import { describe, expect, it } from 'vitest'
import { Plot } from '../../../../kernel/src/display/plot.ts'

const rows = [1, 2, 2.5, 4, 9].map((v, at) => ({ v, at, node: `n${at % 2}` }))

describe('Plot.auto', () => {
  it('draws a histogram and a scatter plot, and does not tell that the tip of its own is left out', () => {
    for (const options of [{ x: 'v' }, { x: 'v', y: 'at', color: 'node' }] as const) {
      const figure = Plot.auto(rows, options).plot()
      expect(figure.querySelectorAll('rect, circle, path[stroke]').length).toBeGreaterThan(0)
      expect(inspect(figure).split('\n')).toHaveLength(1)
    }
  })

  it.each<[string, AutoOptions]>([
    ['x', { x: 'w' }],
    ['y', { x: 'v', y: { value: 'w', zero: true } }],
    ['color', { x: 'v', y: 'at', color: 'w' }],
    ['size', { x: 'v', y: 'at', size: 'w' }],
    ['fx', { x: 'v', y: 'at', fx: 'w' }],
  ])('refuses a column for %s that no row has', (channel, options) => {
    expect(() => Plot.auto(rows, options)).toThrow(
      new LabError('LAB_FIGURE_INVALID', {
        problem: `auto reads the column w (${channel}), which no row has`,
        write: 'did you mean v?',
      }),
    )
  })

  it('takes colours and reducers for what they are', () => {
    expect(() => Plot.auto(rows, { x: 'v', y: 'count', color: 'red' }).plot()).not.toThrow()
  })

  it('refuses to count infinite values in bins, and draws them elsewhere as other marks do', () => {
    const infinite = [...rows, { v: Infinity, at: 9, node: 'n1' }]
    expect(() => Plot.auto(infinite, { x: 'v' })).toThrow(
      '1 of 6 values of v are infinite, as after a division by 0',
    )
    expect(inspect(Plot.auto(infinite, { x: 'v', y: 'at' }).plot())).toContain(
      '1 of 6 values of v are not drawn: they are infinite',
    )
  })

  it('calls a function of a row once for each row', () => {
    let calls = 0
    Plot.auto(rows, { x: 'at', y: ({ v }: { readonly v: number }) => (calls++, v) }).plot()
    expect(calls).toBe(rows.length)
  })
})
