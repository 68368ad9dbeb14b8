import { expect, it } from 'vitest'
import { bundleOf } from '../../../../kernel/src/display/show.ts'
import { Plot } from '../../../../kernel/src/display/plot.ts'

const dots = Plot.dot(
  [
    { a: 1, b: 2 },
    { a: 2, b: 3 },
  ],
  { x: 'a', y: 'b', fill: 'b' },
)

it('draws a plot as SVG, with a PNG for those that cannot show it', () => {
  const bundle = bundleOf(Plot.plot({ marks: [dots] }))
  expect(bundle['image/svg+xml']).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/u)
  expect(
    Buffer.from(bundle['image/png'] as Uint8Array)
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG')
})

it('draws title and continuous legend as HTML in the page’s colours', () => {
  const bundle = bundleOf(Plot.plot({ title: 'Way', color: { legend: true }, marks: [dots] }))
  expect(bundle['text/html']).toContain('<h2>Way</h2>')
  expect(bundle['text/html']).toContain('data:image/svg+xml;base64,')
  expect(bundle['text/html']).toContain('--plot-background: transparent')
  expect(bundle['text/plain']).toBe('[figure: Way, 640 × 400]')
})

it('draws a mark on its own', () => {
  expect(bundleOf(dots.plot())['image/svg+xml']).toContain('<circle')
})

it('shows rows, markup and anything else', () => {
  expect(bundleOf([{ a: 1 }])['text/html']).toContain('<table>')
  expect(bundleOf({ html: '<b>x</b>' })['text/html']).toBe('<b>x</b>')
  expect(bundleOf({ markdown: '*x*' })['text/markdown']).toBe('*x*')
  expect(bundleOf(3)).toEqual({ 'text/plain': '3' })
})
