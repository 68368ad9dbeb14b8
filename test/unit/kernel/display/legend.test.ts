import { expect, it } from 'vitest'
import { Plot } from '../../../../kernel/src/display/plot.ts'
import { bundleOf } from '../../../../kernel/src/display/show.ts'

it('shows a legend of names on its own as HTML, and as its names where only text can be shown', () => {
  const bundle = bundleOf(Plot.legend({ color: { type: 'ordinal', domain: ['n1', 'n2'] } }))
  expect(bundle['text/plain']).toBe('[legend: n1, n2]')
  expect(bundle['text/html']).toContain('n2')
  // A picture would show only the first colour and no name.
  expect(bundle['image/png']).toBeUndefined()
})

it('also names the symbols of a legend, in columns', () => {
  const legend = Plot.legend({ symbol: { domain: ['up', 'down'] }, columns: '80px' })
  expect(bundleOf(legend)['text/plain']).toBe('[legend: up, down]')
})

it('draws a legend of a continuous scale on its own as SVG, with a picture', () => {
  const bundle = bundleOf(Plot.legend({ color: { type: 'linear', domain: [0, 100] } }))
  expect(bundle['image/svg+xml']).toContain('-ramp')
  expect(bundle['image/png']).toBeInstanceOf(Uint8Array)
})
