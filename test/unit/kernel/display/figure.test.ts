import { inspect } from 'node:util'
import { Resvg } from '@resvg/resvg-js'
import type { Markish } from '@observablehq/plot'
import { describe, expect, it } from 'vitest'
import { figureDocument } from '../../../../kernel/src/display/figure.ts'
import { boundsOf } from '../../../../kernel/src/display/picture.ts'
import { Plot } from '../../../../kernel/src/display/plot.ts'
import { bundleOf } from '../../../../kernel/src/display/show.ts'
import { toXml } from '../../../../kernel/src/display/xml.ts'

const dots = Plot.dot(
  [
    { a: 1, b: 2 },
    { a: 2, b: 3 },
  ],
  { x: 'a', y: 'b', fill: 'b' },
)

const count = (figure: Element, selector: string) => figure.querySelectorAll(selector).length

/** Render a figure on white. */
const pixelsOf = (figure: Element): Uint8Array =>
  new Resvg(
    toXml(figure).replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg" color="black"'),
    {
      background: 'white',
      fitTo: { mode: 'zoom', value: 2 },
      font: { loadSystemFonts: false },
    },
  ).render().pixels

/** Return the SVG of a figure's bundle as text. */
const svgOf = (figure: Element) => String(bundleOf(figure)['image/svg+xml'])

it('draws a plot as SVG, with a PNG for clients that cannot show it', () => {
  const bundle = bundleOf(Plot.plot({ marks: [dots] }))
  expect(bundle['image/svg+xml']).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/u)
  expect(
    Buffer.from(bundle['image/png'] as Uint8Array)
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG')
})

it('draws a title and a continuous legend as HTML in the colours of the page', () => {
  const bundle = bundleOf(Plot.plot({ title: 'Way', color: { legend: true }, marks: [dots] }))
  expect(bundle['text/html']).toContain('<h2>Way</h2>')
  expect(bundle['text/html']).toContain('data:image/svg+xml;base64,')
  expect(bundle['text/html']).toContain('--plot-background: transparent')
  expect(bundle['text/plain']).toBe('[figure: Way, 640 × 400]')
})

it('draws a mark on its own', () => {
  expect(bundleOf(dots.plot())['image/svg+xml']).toContain('<circle')
})

it('shows a mark without plot() as a figure, also one of several marks', () => {
  const box = Plot.boxY([1, 2, 9])
  for (const mark of [dots, box, Plot.marks(dots, box)]) {
    const method: unknown = Reflect.get(mark, Symbol.for('Jupyter.display'))
    const bundle: unknown = typeof method === 'function' ? Reflect.apply(method, mark, []) : null
    expect(bundle).toHaveProperty('image/svg+xml')
    expect(bundleOf(mark)).toHaveProperty('image/svg+xml')
  }
  expect(inspect(dots)).toBe('[mark dot, which show(mark.plot()) draws]')
  expect(Plot.plot({ marks: [box, dots] }).querySelectorAll('circle')).not.toHaveLength(0)
})

it('says how to wait for a promise that is to be shown', () => {
  expect(bundleOf(Promise.resolve(1))['text/plain']).toContain('Write `await` before it')
})

it('has the methods by which notebooks show the last expression of a cell', () => {
  const figure = Plot.plot({ title: 'Way', marks: [dots] })
  const show: unknown = Reflect.get(figure, Symbol.for('Jupyter.display'))
  const bundle: unknown = typeof show === 'function' ? Reflect.apply(show, figure, []) : null
  expect(bundle).toMatchObject({ 'text/html': expect.stringContaining('<circle') as string })
  expect(inspect(figure)).toBe('[figure: Way, 640 × 400]')
  expect(inspect({ figure })).toContain('[figure: Way')
})

it('shows rows, markup and any other value', () => {
  expect(bundleOf([{ a: 1 }])['text/html']).toContain('<table>')
  expect(bundleOf({ html: '<b>x</b>' })['text/html']).toBe('<b>x</b>')
  expect(bundleOf({ markdown: '*x*' })['text/markdown']).toBe('*x*')
  expect(bundleOf(3)).toEqual({ 'text/plain': '3' })
})

describe('labels', () => {
  const names = ['community-network-node-sants-upc-17', 'a-very-long-name-of-another-sliver']
  const rows = names.map((name, index) => ({ name, value: (index + 1) * 1e11 }))

  /** Check that everything visible in an SVG is inside its view box. */
  function expectWhole(svg: string): void {
    const [x = 0, y = 0, width = 0, height = 0] =
      /viewBox="([^"]*)"/u.exec(svg)?.[1]?.split(' ').map(Number) ?? []
    const bounds = boundsOf(svg) ?? { x: NaN, y: NaN, width: NaN, height: NaN }
    expect(bounds.x).toBeGreaterThanOrEqual(x)
    expect(bounds.y).toBeGreaterThanOrEqual(y)
    expect(bounds.x + bounds.width).toBeLessThanOrEqual(x + width)
    expect(bounds.y + bounds.height).toBeLessThanOrEqual(y + height)
  }

  it('are not cut off, also long names and large numbers', () => {
    expectWhole(svgOf(Plot.plot({ marks: [Plot.barX(rows, { x: 'value', y: 'name' })] })))
    expectWhole(svgOf(Plot.plot({ marks: [Plot.dot(rows, { x: 'name', y: 'value' })] })))
    const rotated = { x: { tickRotate: -40 }, marks: [Plot.barY(rows, { x: 'name', y: 'value' })] }
    expectWhole(svgOf(Plot.plot(rotated)))
    const facets = { marks: [Plot.frame(), Plot.dot(rows, { fy: 'name', x: 'value' })] }
    expectWhole(svgOf(Plot.plot(facets)))
  })

  it('do not change a figure that has space for them, or that was shown before', () => {
    expect(svgOf(Plot.plot({ marks: [dots] }))).toContain('viewBox="0 0 640 400"')
    const figure = Plot.plot({ marks: [Plot.barX(rows, { x: 'value', y: 'name' })] })
    expect(svgOf(figure)).toBe(svgOf(figure))
  })

  it('outside of the view box do not widen a figure', () => {
    const far = Plot.text([{ x: 500, y: 1 }], { x: 'x', y: 'y', text: ['far'] })
    const figure = Plot.plot({ x: { domain: [0, 1] }, y: { domain: [0, 1] }, marks: [far] })
    // The view box is higher because of the note about the label.
    expect(svgOf(figure)).toMatch(/viewBox="0 0 640 4\d\d"/u)
  })

  it('may contain characters and names that XML does not have', () => {
    const odd = [{ name: 'a\u00a0b \u001b\u0000 \ud800 & <c> "d"', value: 1 }]
    const bundle = bundleOf(Plot.plot({ marks: [Plot.barX(odd, { x: 'value', y: 'name' })] }))
    expect(bundle['image/png']).toBeInstanceOf(Uint8Array)
    expect(bundle['image/svg+xml']).not.toContain('&nbsp;')
  })
})

describe('a logarithmic axis', () => {
  const values = Array.from({ length: 200 }, (_, index) => ({ rtt_s: 0.001 * 1.02 ** index }))

  it('shows a histogram with all its bars', () => {
    const bins = Plot.rectY(values, Plot.binX({ y: 'count' }, { x: 'rtt_s' }))
    const plain = count(Plot.plot({ marks: [bins] }), '[aria-label="rect"] rect')
    for (const axis of ['x', 'y']) {
      const figure = Plot.plot({ [axis]: { type: 'log' }, marks: [bins] })
      const bars = [...figure.querySelectorAll('[aria-label="rect"] rect')]
      expect(bars).toHaveLength(plain)
      const sizes = bars.map((bar) =>
        Number(bar.getAttribute(axis === 'x' ? 'width' : 'height') ?? NaN),
      )
      expect(sizes.every((size) => size > 0)).toBe(true)
      expect(count(figure, '[aria-label="note"]')).toBe(0)
    }
  })

  it('has at least two labels, also in narrow facets and within a decade', () => {
    const numbersOf = (figure: Element, axis: string) => [
      ...new Set(
        [...figure.querySelectorAll(`[aria-label="${axis}-axis tick label"] text`)]
          .map((text) => text.textContent)
          .filter((text) => text !== ''),
      ),
    ]
    const rows = values.map((row, index) => ({ ...row, n: `n${index % 6}` }))
    const panels = Plot.dot(rows, { x: 'rtt_s', y: 'rtt_s', fx: 'n' })
    expect(numbersOf(Plot.plot({ x: { type: 'log' }, marks: [panels] }), 'x')).toEqual([
      ...['1m', '10m'],
    ])
    const within = (low: number, high: number) =>
      numbersOf(
        Plot.plot({ y: { type: 'log' }, marks: [Plot.dotY([low, high])], height: 200 }),
        'y',
      )
    for (const [low, high] of [
      [0.0021, 0.0072],
      [0.0113, 0.0147],
      [1.0001, 1.0003],
      [2e-7, 3e9],
    ] as const)
      expect(within(low, high).length, `${low} to ${high}`).toBeGreaterThanOrEqual(2)
    const own = Plot.plot({ y: { type: 'log', ticks: [3] }, marks: [Plot.dotY([2, 4])] })
    expect(numbersOf(own, 'y')).toEqual(['3'])
  })

  it('keeps the domain that the notebook has set', () => {
    const bars = Plot.barY([{ n: 'a', v: 5 }], { x: 'n', y: 'v' })
    const figure = Plot.plot({ y: { type: 'log', domain: [1, 10] }, marks: [bars] })
    expect(figure.scale('y')?.domain).toEqual([1, 10])
    expect(count(figure, '[aria-label="bar"] rect')).toBe(1)
  })

  it('names the values that have no place on it', () => {
    const rows = [0, 3, -1, 30].map((v, i) => ({ i, v }))
    const figure = Plot.plot({ y: { type: 'log' }, marks: [Plot.dot(rows, { x: 'i', y: 'v' })] })
    const sentence =
      '2 of 4 values of v are not drawn: a logarithmic axis has no place for 0 and less'
    const bundle = bundleOf(figure)
    expect(bundle['image/svg+xml']).toContain(sentence)
    expect(bundle['text/plain']).toContain(sentence)
  })
})

describe('a figure of very many marks', () => {
  const many = Plot.dot(
    Array.from({ length: 2_100 }, (_, i) => ({ x: i, y: (i * 7919) % 2_100, n: `n${i % 3}` })),
    { x: 'x', y: 'y', fill: 'n' },
  )

  it('is stored as a picture', () => {
    const bundle = bundleOf(Plot.plot({ marks: [many] }))
    expect(Object.keys(bundle).sort()).toEqual(['image/png', 'text/plain'])
  })

  it('keeps its title and legend, and is not changed itself', () => {
    const figure = Plot.plot({ title: 'Way', color: { legend: true }, marks: [many] })
    const before = figure.outerHTML
    const html = String(bundleOf(figure)['text/html'])
    expect(html).toContain('<h2>Way</h2>')
    expect(html).toContain('<img')
    expect(html).not.toContain('<circle')
    expect(figure.outerHTML).toBe(before)
  })

  it('looks like one of fewer marks', () => {
    const rows = Array.from({ length: 2_400 }, (_, i) => ({
      x: (i * 7919) % 2_400,
      y: i % 37,
      n: i % 5,
    }))
    const looks = [
      { fill: 'n', r: 4 },
      { stroke: 'n', strokeOpacity: 0.4 },
      { fill: 'steelblue', fillOpacity: 0.3, stroke: 'none' },
      { r: 'n', fill: 'currentColor', opacity: 0.2, fx: (row: { n: number }) => row.n % 2 },
    ] as const
    for (const look of looks) {
      const options = { x: 'x', y: 'y', ...look } as const
      const scales = { x: { domain: [0, 2_400] }, color: { domain: [0, 4] }, r: { domain: [0, 4] } }
      const drawn = (marks: Markish[]) => pixelsOf(Plot.plot({ ...scales, marks }))
      const one = drawn([Plot.dot(rows, { ...options, sort: null })])
      const two = drawn([
        ...[rows.slice(0, 1_200), rows.slice(1_200)].map((half) =>
          Plot.dot(half, { ...options, sort: null }),
        ),
      ])
      let sum = 0
      for (const [index, value] of one.entries()) sum += Math.abs(value - (two[index] ?? 0))
      expect(sum / one.length).toBeLessThan(1.5)
    }
  })

  it('may also be one line of very many points', () => {
    const line = Plot.lineY(Array.from({ length: 40_000 }, (_, index) => Math.sin(index)))
    expect(bundleOf(Plot.plot({ marks: [line] }))).not.toHaveProperty('image/svg+xml')
  })
})

it('says that marks which follow the pointer are not drawn, and leaves no trace of them', () => {
  const rows = [{ a: 1, b: 2 }]
  for (const marks of [
    [Plot.dot(rows, { x: 'a', y: 'b', tip: true })],
    [Plot.dot(rows, { x: 'a', y: 'b' }), Plot.crosshair(rows, { x: 'a', y: 'b' })],
    [Plot.tip(rows, { x: 'a', y: 'b' })],
  ]) {
    const bundle = bundleOf(Plot.plot({ marks }))
    expect(bundle['text/plain']).toContain('tips follow a mouse')
    expect(bundle['image/svg+xml']).not.toMatch(/aria-label="(?:tip|crosshair)/u)
  }
})

describe('a note says what a picture lacks', () => {
  const noteOf = (figure: Element) => bundleOf(figure)['text/plain']
  const point = [{ x: 0.5, y: 1 }]

  it('labels beyond the limit', () => {
    const rows = Array.from({ length: 2_100 }, (_, index) => ({ x: index, t: `n${index}` }))
    const figure = Plot.plot({ axis: null, marks: [Plot.textX(rows, { x: 'x', text: 't' })] })
    expect(noteOf(figure)).toMatch(/100 labels are not drawn: more than 2000 would take seconds/u)
    expect([count(figure, 'text'), count(figure, '[display]')]).toEqual([2_101, 0])
  })

  it('points outside of a domain that the notebook has set', () => {
    const rows = [...point, { x: 2, y: 1 }, { x: 3, y: 9 }]
    const figure = (domain: readonly [number, number], clip = false) =>
      Plot.plot({ x: { domain }, marks: [Plot.dot(rows, { x: 'x', y: 'y', clip })] })
    expect(noteOf(figure([0, 1]))).toContain(
      '2 of 3 points of dot are outside of the axes: the domain of x ends before them',
    )
    expect(noteOf(figure([0, 3]))).toBe('[figure, 640 × 400]')
    expect(noteOf(figure([0, 1], true))).toBe('[figure, 640 × 400]')
  })

  it('images of the web', () => {
    const image = (src: string) => Plot.image(point, { x: 'x', y: 'y', src: () => src }).plot()
    expect(noteOf(image('https://example.org/a.png'))).toMatch(/images of the web \(1\)/u)
    expect(noteOf(image('data:image/png;base64,AAAA'))).not.toContain('⚠')
  })

  it('colours that only browsers know; of those for bright and dark pages, the bright ones are used', () => {
    const dot = (fill: string) => Plot.dot(point, { x: 'x', y: 'y', r: 20, fill })
    expect(noteOf(dot('oklch(60% 0.2 30)').plot())).toMatch(/lack the colour oklch\(60% 0\.2 30\)/u)
    const range = (color: string) => ({ color: { domain: ['a'], range: [color] } })
    const named = Plot.dot(point, { x: 'x', y: 'y', r: 20, fill: () => 'a' })
    const picture = (color: string) =>
      bundleOf(Plot.plot({ ...range(color), marks: [named] }))['image/png']
    expect(picture('light-dark(rgb(255, 0, 0), blue)')).toEqual(picture('rgb(255, 0, 0)'))
  })
})

it('draws a raster', () => {
  const grid = {
    x: (_: unknown, i: number) => i % 4,
    y: (_: unknown, i: number) => Math.floor(i / 4),
  }
  const fill = (_: unknown, i: number) => i
  const bundle = bundleOf(
    Plot.plot({ marks: [Plot.raster({ length: 12 }, { ...grid, fill, interpolate: 'nearest' })] }),
  )
  expect(bundle['image/svg+xml']).toContain('href="data:image/png;base64,')
  expect(bundle['image/png']).toBeInstanceOf(Uint8Array)
})

it('draws bigints, and says what to cast where they cannot be summed', () => {
  const rows = [
    { n: 'a', i: 1n },
    { n: 'a', i: 2n ** 60n },
  ]
  expect(bundleOf(Plot.plot({ marks: [Plot.dot(rows, { x: 'i' })] }))).toHaveProperty('image/png')
  const sums = Plot.barY(rows, Plot.groupX({ y: 'sum' }, { x: 'n', y: 'i' }))
  expect(() => Plot.plot({ marks: [sums] })).toThrow(/the figure was not drawn: .*column::double/u)
})

it('shows any other element of a page by its text', () => {
  const element = figureDocument().createElement('p')
  element.textContent = 'a word'
  expect(bundleOf(element)).toEqual({ 'text/plain': '[p]', 'text/html': '<p>a word</p>' })
})

describe('a mark of which nothing is drawn', () => {
  const rows = [
    { a: 1, b: 2 },
    { a: 2, b: 3 },
  ]
  const noteOf = (figure: Element): string => inspect(figure).split('\n').slice(1).join('\n')

  it('is reported when it follows the pointer', () => {
    expect(noteOf(Plot.dot(rows, Plot.pointer({ x: 'a', y: 'b' })).plot())).toContain(
      'a mark with Plot.pointer follows a mouse, and this is a picture',
    )
    expect(noteOf(Plot.dot(rows, { x: 'a', y: 'b', tip: true }).plot())).toContain('tips follow')
  })

  it('has what Plot warns of as a note of the figure, not in the console, where it stays', () => {
    const points = [1, 2, 3].map((value) => ({ a: value, b: value, of: `n${value}` }))
    const figure = Plot.line(points, { x: 'a', y: 'b', stroke: 'of' }).plot()
    expect(noteOf(figure)).toBe(
      '⚠ most values of a colour have one point only, which makes no line; set z: null for one line',
    )
    expect(figure.textContent).not.toContain('check the console')
    expect(noteOf(Plot.line(points, { x: 'a', y: 'b', stroke: 'of', z: null }).plot())).toBe('')
  })

  it('is reported when no row has a value that it needs', () => {
    expect(noteOf(Plot.dot([{ a: 1, b: null }], { x: 'a', y: 'b' }).plot())).toBe(
      '⚠ no dot is drawn: none of 1 rows has a value of y (b) that can be drawn',
    )
    expect(noteOf(Plot.dot([{ a: 1 }, { b: 2 }], { x: 'a', y: 'b' }).plot())).toBe(
      '⚠ no dot is drawn: none of 2 rows has all the values that it needs',
    )
    expect(noteOf(Plot.lineY(rows, { x: 'a', y: () => null, fx: 'b' }).plot())).toContain(
      'none of 2 rows has a value of y',
    )
    expect(
      noteOf(Plot.dot(rows, { x: 'a', y: (row: { b: number }) => row.b || null }).plot()),
    ).toBe('')
  })

  it('is reported when no mark of the figure has a row, as after a query that has found nothing', () => {
    const note = '⚠ nothing is drawn: no mark has a row of data'
    expect(noteOf(Plot.dot([], { x: 'a', y: 'b' }).plot())).toBe(note)
    expect(
      noteOf(Plot.plot({ marks: [Plot.ruleY([0]), Plot.lineY([], { x: 'a', y: 'b' })] })),
    ).toBe(note)
    expect(noteOf(Plot.plot({ marks: [Plot.dot([]), Plot.lineY(rows, { x: 'a', y: 'b' })] }))).toBe(
      '',
    )
    expect(noteOf(Plot.plot({ marks: [Plot.ruleY([0])] }))).toBe('')
    expect(noteOf(Plot.plot({ marks: [Plot.frame()] }))).toBe('')
  })
})
