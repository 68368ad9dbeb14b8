import { expect, it } from 'vitest'
import { Plot } from '../../../../kernel/src/display/plot.ts'

/** Draw twenty values within some seconds from 13:58:03.200 on (UTC), and return what the ticks say. */
function ticks(spanS: number, x: object = {}): string[] {
  const start = Date.UTC(2026, 9, 4, 13, 58, 3, 200)
  const rows = Array.from({ length: 20 }, (_, index) => ({
    time: new Date(start + index * spanS * 50),
    value: index,
  }))
  const figure = Plot.plot({ x, marks: [Plot.dot(rows, { x: 'time', y: 'value' })] })
  const texts = figure.querySelectorAll('[aria-label="x-axis tick label"] text')
  return [...texts].map((text) => {
    const lines = [...text.querySelectorAll('tspan')].map((line) => line.textContent)
    return lines.length === 0 ? text.textContent : lines.join(' | ')
  })
}

it('writes times by 24 hours, with the zone at the first tick and the date where a day begins', () => {
  expect(ticks(0.9).slice(0, 2)).toEqual(['13:58:03.200 | Oct 4 UTC', '13:58:03.300'])
  expect(ticks(30).slice(0, 2)).toEqual(['13:58:05 | Oct 4 UTC', '13:58:10'])
  expect(ticks(1_200).slice(0, 2)).toEqual(['14:00 | Oct 4 UTC', '14:05'])
  expect(ticks(86_400).slice(0, 5)).toEqual([
    ...['15:00 | Oct 4 UTC', '18:00', '21:00', '00:00 | Oct 5', '03:00'],
  ])
  // At noon, Plot has a second line for the hours after it.
  expect(ticks(5 * 86_400).slice(0, 3)).toEqual(['00:00 | Oct 5 UTC', '12:00', '00:00 | Oct 6'])
})

it('keeps months, formats of the notebook, and axes that are no times', () => {
  expect(ticks(300 * 86_400).slice(0, 2)).toEqual(['Nov | 2026', 'Dec'])
  expect(ticks(30, { tickFormat: '%S s' }).slice(0, 2)).toEqual(['05 s', '10 s'])
  expect(ticks(30, { tickFormat: (time: Date) => `:${time.getUTCSeconds()}` })[1]).toBe(':10')
  expect(ticks(30, { axis: null })).toEqual([])
  const figure = Plot.plot({ marks: [Plot.dot([1, 2, 3], { x: (value: number) => value })] })
  expect(figure.querySelector('[aria-label="x-axis tick label"]')?.textContent).toContain('1.0')
})
