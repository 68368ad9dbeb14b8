import { expect, it } from 'vitest'
import { figureDocument } from '../../../../kernel/src/display/figure.ts'
import { maxSegments, replaceLongLines } from '../../../../kernel/src/display/long-lines.ts'
import { drawPixels } from '../../../../kernel/src/display/picture.ts'

/** In these tests, a line of a thousand points counts as long. They are also drawn whole for comparison, which is slow for longer ones. */
const minLength = 16_000

type Point = readonly [x: number, y: number]

/** Create a generator of numbers from 0 to 1 that gives the same sequence each time. Source: Park and Miller, "Random number generators", 1988. */
function createRandom(): () => number {
  let state = 1
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const random = createRandom()
const series = (count: number): Point[] =>
  Array.from({ length: count }, (_, index) => [(index / count) * 300, random() * 200])
const scribble = (count: number): Point[] =>
  Array.from({ length: count }, () => [random() * 300, random() * 200])
const pathOf = (points: readonly Point[]): string =>
  `M${points.map(([x, y]) => `${x.toFixed(3)},${y.toFixed(3)}`).join('L')}`

function drawing(d: string, attributes = 'fill="none" stroke-opacity="0.4"'): Element {
  const holder = figureDocument().createElement('div')
  holder.innerHTML = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200" viewBox="0 0 300 200" shape-rendering="crispEdges"><g stroke="black" stroke-linejoin="round" stroke-linecap="round" ${attributes}><path d="${d}"/></g></svg>`
  const svg = holder.querySelector('svg')
  if (svg === null) throw new Error('it is there')
  return svg
}

/** Return the share of pixels that differ visibly. */
function difference(one: Uint8Array, other: Uint8Array): number {
  const differing = one.filter((value, index) => Math.abs(value - (other[index] ?? 0)) > 40)
  return differing.length / one.length
}

it.each([
  ['a series of three points for each pixel', series(1_300)],
  ['a line that crosses itself again and again', scribble(1_200)],
])('draws %s like the whole line, also when it is transparent', (_, points) => {
  const svg = drawing(pathOf(points))
  const whole = drawPixels(svg.outerHTML).data
  const { restore, thinned } = replaceLongLines(svg, minLength)
  expect(svg.querySelectorAll('path').length).toBeGreaterThan(3)
  expect(difference(drawPixels(svg.outerHTML).data, whole)).toBeLessThan(0.01)
  expect(thinned).toEqual([])
  restore()
  expect(drawPixels(svg.outerHTML).data).toEqual(whole)
})

it('leaves out points of a long series that no pixel shows, and keeps its gaps', () => {
  const svg = drawing(pathOf(series(60_000)) + pathOf(series(60_000)))
  expect(replaceLongLines(svg, minLength).thinned).toEqual([])
  const text = [...svg.querySelectorAll('path')].map((path) => path.getAttribute('d')).join('')
  // Four points for each of 600 columns of pixels, and the beginning of each path.
  expect(text.split(/[ML]/u).length).toBeLessThan(2 * 600 * 4 * 1.1)
  expect(text.match(/M0\.000,/gu)).toHaveLength(2)
})

it('thins out a line that crosses itself too often to be drawn, and reports its length', () => {
  const svg = drawing(pathOf(scribble(3 * maxSegments)))
  const { thinned } = replaceLongLines(svg, minLength)
  expect(thinned[0]).toBeGreaterThan(2.5 * maxSegments)
  const drawn = [...svg.querySelectorAll('path')].map((path) => path.getAttribute('d')).join('')
  expect(drawn.split('L').length).toBeLessThanOrEqual(maxSegments)
})

it('draws an arrow once at the end of a line, and dots at all of its points', () => {
  const at = (name: string): string => `url(#${name})`
  const svg = drawing(pathOf(series(1_300)))
  const line = svg.querySelector('path')
  for (const place of ['start', 'mid', 'end']) line?.setAttribute(`marker-${place}`, at(place))
  replaceLongLines(svg, minLength)
  const pieces = [...svg.querySelectorAll('path')]
  const marksAt = (place: string): unknown[] =>
    pieces.map((piece) => piece.closest(`[marker-${place}]`)?.getAttribute(`marker-${place}`))
  const others = pieces.slice(1)
  expect(others.length).toBeGreaterThan(3)
  expect(marksAt('start')).toEqual([at('start'), ...others.map(() => 'none')])
  expect(marksAt('mid')).toEqual(pieces.map(() => at('mid')))
  expect(marksAt('end')).toEqual([...others.map(() => at('mid')), at('end')])
})

it('leaves filled shapes and short lines as they are', () => {
  for (const svg of [
    drawing(pathOf(series(2_000)), 'fill="red"'),
    drawing(pathOf(series(200))),
    drawing(`${pathOf(series(2_000))}Z`),
  ]) {
    const before = svg.outerHTML
    replaceLongLines(svg, minLength)
    expect(svg.outerHTML).toBe(before)
  }
})
