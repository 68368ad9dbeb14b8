import { createRequire } from 'node:module'
import type * as Resvg from '@resvg/resvg-js'
import type * as Jsdom from 'jsdom'
import { addColorStrips } from './color-strip.ts'

/** What this module needs of an element; Plot makes them, and so do other libraries. */
export interface FigureElement {
  readonly outerHTML: string
  readonly tagName: string
  querySelector(selectors: string): FigureElement | null
  getAttribute(name: string): string | null
}

const require = createRequire(import.meta.url)
let madeDocument: Document | null = null

/** The document in which figures are drawn when there is no browser. Made at the first figure: it takes a tenth of a second. */
export function figureDocument(): Document {
  if (madeDocument !== null) return madeDocument
  // Required late: jsdom takes half a second to load, and most cells draw nothing.
  const { JSDOM } = require('jsdom') as typeof Jsdom
  const { window } = new JSDOM('')
  addColorStrips(window)
  madeDocument = window.document
  return madeDocument
}

/** Tell whether a value is a drawn figure or any other element. */
export function isElement(value: unknown): value is FigureElement {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'outerHTML') === 'string' &&
    typeof Reflect.get(value, 'querySelector') === 'function'
  )
}

/**
 * A figure for a notebook: SVG, or HTML where it has a title or legend, in the notebook's own colours by `currentColor`; and a PNG of the drawing for those that show neither, such as a notebook whose author is not trusted yet.
 */
export function figureBundle(figure: FigureElement): Record<string, unknown> {
  const isSvg = figure.tagName.toLowerCase() === 'svg'
  const main = isSvg ? figure : mainSvg(figure)
  const png = main === null ? null : renderPng(withNamespace(main.outerHTML))
  const drawing = withoutBackground(figure.outerHTML)
  const title = figure.querySelector('h2')?.outerHTML.replace(/<[^>]*>/gu, '') ?? ''
  const size = main === null ? '' : sizeOf(main)
  return {
    'text/plain': `[figure${title === '' ? '' : `: ${title}`}${size === '' ? '' : `, ${size}`}]`,
    ...(isSvg ? { 'image/svg+xml': withNamespace(drawing) } : { 'text/html': drawing }),
    ...(png === null ? {} : { 'image/png': png }),
  }
}

/** Plot paints its background white; in a dark notebook its text, which takes the page's colour, would be white too. */
function withoutBackground(html: string): string {
  return html.replace(/--plot-background:\s*white/gu, '--plot-background: transparent')
}

/** Legends are SVGs as well: the drawing is the largest. */
function mainSvg(figure: FigureElement): FigureElement | null {
  return figure.querySelector(':scope > svg:last-of-type') ?? figure.querySelector('svg')
}

function sizeOf(svg: FigureElement): string {
  const [width, height] = [svg.getAttribute('width'), svg.getAttribute('height')]
  return width === null || height === null ? '' : `${width} × ${height}`
}

function withNamespace(svg: string): string {
  return /^<svg[^>]*\sxmlns=/u.test(svg)
    ? svg
    : svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')
}

function renderPng(svg: string): Uint8Array | null {
  const resvg = require('@resvg/resvg-js') as typeof Resvg
  try {
    // A PNG knows no page around it: black on white, at twice the size for fine screens.
    const image = new resvg.Resvg(svg.replace('<svg', '<svg color="black"'), {
      background: 'white',
      fitTo: { mode: 'zoom', value: 2 },
    })
    return image.render().asPng()
  } catch {
    // resvg refuses what it does not know; the SVG itself is shown all the same.
    return null
  }
}
