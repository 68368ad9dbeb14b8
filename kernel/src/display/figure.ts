import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import type * as Jsdom from 'jsdom'
import { displaySymbol, type Bundle } from './bundle.ts'
import { addCanvases } from './canvas.ts'
import { makeRoomForLabels, noteLabel } from './label-room.ts'
import { maxSegments, replaceLongLines } from './long-lines.ts'
import { renderPng } from './picture.ts'
import { toXml } from './xml.ts'

/** A figure of more marks, or of more text, is kept as a picture: otherwise the notebook would have megabytes, and a browser would show it slowly. */
export const maxMarks = 2_000
const maxSvgLength = 512 * 1024

/** An image in the place of very many marks says how many they are. */
export const marksAttribute = 'data-marks'

const markTags = 'path, circle, rect, line, text, image, use, polygon, polyline, ellipse'

const require = createRequire(import.meta.url)
let madeDocument: Document | null = null

/** The document in which figures are drawn when there is no browser. Made at the first figure: it takes a tenth of a second. */
export function figureDocument(): Document {
  if (madeDocument !== null) return madeDocument
  // Required late: jsdom takes half a second to load, and most cells draw nothing.
  const { JSDOM } = require('jsdom') as typeof Jsdom
  const { window } = new JSDOM('')
  addCanvases(window)
  notePointers(window)
  // Notebooks call these methods to show a figure that is the last expression of a cell.
  Object.defineProperties(window.Element.prototype, {
    [displaySymbol]: {
      value(this: Element): Bundle {
        return figureBundle(this)
      },
    },
    [inspect.custom]: {
      value(this: Element): string {
        return figureText(this)
      },
    },
  })
  madeDocument = window.document
  return madeDocument
}

/** The drawings of which something follows a mouse. */
const followers = new WeakSet<object>()

/** Note which drawings listen for a mouse. What Plot draws there depends on where the mouse is, and is nothing in a picture. */
function notePointers(window: Jsdom.DOMWindow): void {
  const { addEventListener } = window.EventTarget.prototype
  Object.defineProperty(window.SVGSVGElement.prototype, 'addEventListener', {
    value(this: EventTarget, ...listening: Parameters<typeof addEventListener>): void {
      if (listening[0].startsWith('pointer')) followers.add(this)
      addEventListener.apply(this, listening)
    },
  })
}

/** Tell whether something in a figure follows a mouse. */
export function followsMouse(figure: Element): boolean {
  return svgsOf(figure).some((svg) => followers.has(svg))
}

/** Tell whether a value is a drawn figure or any other element of a page. */
export function isElement(value: unknown): value is Element {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'nodeType') === 1 &&
    typeof Reflect.get(value, 'outerHTML') === 'string' &&
    typeof Reflect.get(value, 'querySelectorAll') === 'function'
  )
}

/** Write a line below a figure. Its place is found when the figure is shown. */
export function addNote(figure: Element, text: string): void {
  const svg = mainSvg(figure)
  if (svg === null) return
  const line = svg.querySelectorAll(`text[aria-label="${noteLabel}"]`).length
  const note = svg.ownerDocument.createElementNS('http://www.w3.org/2000/svg', 'text')
  const attributes = {
    'aria-label': noteLabel,
    dy: `${1.2 * (line + 1)}em`,
    'text-anchor': 'start',
    fill: '#b45309',
  }
  for (const [name, value] of Object.entries(attributes)) note.setAttribute(name, value)
  note.textContent = `⚠ ${text}`
  svg.append(note)
}

/**
 * A figure for a notebook: SVG, or HTML where it has a title or legend, in the notebook's own colours by `currentColor`; and a PNG of the drawing for those
 * that show neither, such as a notebook whose author is not trusted yet. A figure of very many marks is a PNG alone.
 */
export function figureBundle(figure: Element): Bundle {
  for (const svg of svgsOf(figure)) makeRoomForLabels(svg)
  const main = mainSvg(figure)
  const png = main === null ? null : pngOf(figure, main)
  const isLarge = main !== null && isTooMuch(main)
  return {
    'text/plain': figureText(figure),
    ...(isLarge && png !== null ? pictureOf(figure, main, png) : drawingOf(figure)),
    ...(png === null ? {} : { 'image/png': png }),
  }
}

/** A picture of a drawing. Where it shows less than the drawing, a note below it says so. */
function pngOf(figure: Element, main: Element): Uint8Array | null {
  const lines = replaceLongLines(main)
  try {
    for (const segments of lines.thinned) {
      const every = Math.ceil(segments / maxSegments)
      addNote(
        figure,
        `a line of ${segments} points that cross each other: only one of ${every} is drawn, all of them would take minutes`,
      )
    }
    if (lines.thinned.length > 0) makeRoomForLabels(main)
    return renderPng(withNamespace(toXml(main)), !lines.areThere)
  } finally {
    lines.restore()
  }
}

function drawingOf(figure: Element): Bundle {
  const drawing = withoutBackground(isSvg(figure) ? toXml(figure) : figure.outerHTML)
  return isSvg(figure) ? { 'image/svg+xml': withNamespace(drawing) } : { 'text/html': drawing }
}

/** What is around the drawing, with a picture in the drawing's place; nothing when nothing is around it. */
function pictureOf(figure: Element, main: Element, png: Uint8Array): Bundle {
  if (figure === main) return {}
  const image = main.ownerDocument.createElement('img')
  for (const side of ['width', 'height'])
    image.setAttribute(side, main.getAttribute(side) ?? 'auto')
  image.setAttribute('style', 'max-width: 100%; height: auto')
  image.setAttribute('src', `data:image/png;base64,${Buffer.from(png).toString('base64')}`)
  main.replaceWith(image)
  const html = withoutBackground(figure.outerHTML)
  image.replaceWith(main)
  return { 'text/html': html }
}

function isTooMuch(main: Element): boolean {
  const drawn = main.querySelector(`[${marksAttribute}]`)
  const isMany = drawn !== null || main.querySelectorAll(markTags).length > maxMarks
  return isMany || toXml(main).length > maxSvgLength
}

/** A figure where only text can be shown. */
function figureText(figure: Element): string {
  const main = mainSvg(figure)
  const names = [...figure.querySelectorAll(swatch)].map((each) => each.textContent)
  if (main === null)
    return names.length > 0 ? `[legend: ${names.join(', ')}]` : `[${figure.tagName.toLowerCase()}]`
  const title = figure.querySelector('h2')?.textContent ?? ''
  const notes = [...main.querySelectorAll(`text[aria-label="${noteLabel}"]`)]
  const size = sizeOf(main)
  const head = `figure${title === '' ? '' : `: ${title}`}${size === '' ? '' : `, ${size}`}`
  // Stock tslab asks an expression's value for nothing but its text.
  const hint = Reflect.has(globalThis, '__tslab__') ? '; show(…) draws it' : ''
  return [`[${head}${hint}]`, ...notes.map((note) => note.textContent)].join('\n')
}

/** Plot paints its background white; in a dark notebook its text, which takes the page's colour, would be white too. */
function withoutBackground(html: string): string {
  return html.replace(/--plot-background:\s*white/gu, '--plot-background: transparent')
}

function isSvg(element: Element): boolean {
  return element.tagName.toLowerCase() === 'svg'
}

function svgsOf(figure: Element): Element[] {
  return isSvg(figure) ? [figure] : [...figure.querySelectorAll('svg')]
}

/** A colour or symbol in a legend, with its name. Source: Plot 0.6.17, legends/swatches.js. */
const swatch = '[class$="-swatch"]'

/** Legends are SVGs as well, and come before the drawing. One of names alone has an SVG for each name, and no drawing. */
function mainSvg(figure: Element): Element | null {
  if (isSvg(figure)) return figure
  return (
    figure.querySelector(':scope > svg:last-of-type') ??
    svgsOf(figure).find((svg) => svg.closest(swatch) === null) ??
    null
  )
}

function sizeOf(svg: Element): string {
  const [width, height] = [svg.getAttribute('width'), svg.getAttribute('height')]
  return width === null || height === null ? '' : `${width} × ${height}`
}

function withNamespace(svg: string): string {
  return /^<svg[^>]*\sxmlns=/u.test(svg)
    ? svg
    : svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')
}
