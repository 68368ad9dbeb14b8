import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import type * as Jsdom from 'jsdom'
import { displaySymbol, type Bundle } from './bundle.ts'
import { addCanvases } from './canvas.ts'
import { maxTexts, hideTexts } from './hidden-parts.ts'
import { makeRoomForLabels } from './label-room.ts'
import { noteLabel } from './note.ts'
import { maxSegments, replaceLongLines } from './long-lines.ts'
import { renderPng } from './picture.ts'
import { toXml } from './xml.ts'

/** A figure with more marks, or longer text, is stored as a picture. As SVG it would add megabytes to the notebook and slow down the browser. */
export const maxMarks = 2_000
const maxSvgLength = 512 * 1024

/** The attribute of an image that replaces very many marks. Its value is the number of marks. */
export const marksAttribute = 'data-marks'

const markTags = 'path, circle, rect, line, text, image, use, polygon, polyline, ellipse'

const require = createRequire(import.meta.url)
let madeDocument: Document | null = null

/** Return the document in which figures are drawn without a browser. It is created for the first figure, which takes 0.1 s. */
export function figureDocument(): Document {
  if (madeDocument !== null) return madeDocument
  // Required only when needed: jsdom takes 0.5 s to load, and most cells draw nothing.
  const { JSDOM } = require('jsdom') as typeof Jsdom
  const { window } = new JSDOM('')
  addCanvases(window)
  notePointers(window)
  // Notebooks call these methods when a figure is the last expression of a cell.
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

/** Drawings with an element that follows the pointer. */
const followers = new WeakSet<object>()

/** Note which drawings listen for pointer events. Plot positions these elements by the pointer, so they do not belong in a static picture. */
function notePointers(window: Jsdom.DOMWindow): void {
  const { addEventListener } = window.EventTarget.prototype
  Object.defineProperty(window.SVGSVGElement.prototype, 'addEventListener', {
    value(this: EventTarget, ...listening: Parameters<typeof addEventListener>): void {
      if (listening[0].startsWith('pointer')) followers.add(this)
      addEventListener.apply(this, listening)
    },
  })
}

/** Tell whether an element of a figure follows the pointer. */
export function followsMouse(figure: Element): boolean {
  return svgsOf(figure).some((svg) => followers.has(svg))
}

/** Tell whether a value is a figure or any other DOM element. */
export function isElement(value: unknown): value is Element {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'nodeType') === 1 &&
    typeof Reflect.get(value, 'outerHTML') === 'string' &&
    typeof Reflect.get(value, 'querySelectorAll') === 'function'
  )
}

/** Add a line of text below a figure. It is positioned when the figure is shown. */
export function addNote(figure: Element, text: string): void {
  const svg = mainSvg(figure)
  if (svg === null) return
  const line = svg.querySelectorAll(`text[aria-label="${noteLabel}"]`).length
  const note = svg.ownerDocument.createElementNS('http://www.w3.org/2000/svg', 'text')
  const attributes = {
    'aria-label': noteLabel,
    dy: `${1.2 * (line + 1)}em`,
    'text-anchor': 'start',
    // The mark at its beginning tells it apart; a colour that can be read on a bright and on a dark page does not exist.
    fill: 'currentColor',
  }
  for (const [name, value] of Object.entries(attributes)) note.setAttribute(name, value)
  note.textContent = `⚠ ${text}`
  svg.append(note)
}

/**
 * Make the bundle of a figure: SVG, or HTML when it has a title or a legend, coloured by `currentColor`; and a PNG of the drawing for notebooks that show
 * neither, such as one that is not trusted yet. A figure of very many marks has only the PNG.
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

/** Render a drawing as PNG. If the picture shows less than the drawing, a note below it says so. */
function pngOf(figure: Element, main: Element): Uint8Array | null {
  const texts = hideTexts(main)
  const lines = replaceLongLines(main)
  try {
    if (texts.count > 0)
      addNote(
        figure,
        `${texts.count} labels are not drawn: more than ${maxTexts} would take seconds, and nobody could read them. A filter chooses those that matter`,
      )
    for (const segments of lines.thinned) {
      const every = Math.ceil(segments / maxSegments)
      addNote(
        figure,
        `a line of ${segments} points that cross each other: only one of ${every} is drawn, all of them would take minutes`,
      )
    }
    if (lines.thinned.length > 0 || texts.count > 0) makeRoomForLabels(main)
    return renderPng(withNamespace(toXml(main)), !lines.areThere)
  } finally {
    lines.restore()
    texts.restore()
  }
}

function drawingOf(figure: Element): Bundle {
  const drawing = withoutBackground(isSvg(figure) ? toXml(figure) : figure.outerHTML)
  return isSvg(figure) ? { 'image/svg+xml': withNamespace(drawing) } : { 'text/html': drawing }
}

/** Return the HTML around the drawing with a picture in place of the drawing; empty when nothing surrounds it. */
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

/** Describe a figure where only text can be shown. */
function figureText(figure: Element): string {
  const main = mainSvg(figure)
  const names = [...figure.querySelectorAll(swatch)].map((each) => each.textContent)
  if (main === null)
    return names.length > 0 ? `[legend: ${names.join(', ')}]` : `[${figure.tagName.toLowerCase()}]`
  const title = figure.querySelector('h2')?.textContent ?? ''
  const notes = [...main.querySelectorAll(`text[aria-label="${noteLabel}"]`)]
  const size = sizeOf(main)
  const head = `figure${title === '' ? '' : `: ${title}`}${size === '' ? '' : `, ${size}`}`
  // Stock tslab shows the value of an expression only as text.
  const hint = Reflect.has(globalThis, '__tslab__') ? '; show(…) draws it' : ''
  return [`[${head}${hint}]`, ...notes.map((note) => note.textContent)].join('\n')
}

/** Plot gives its drawings a white background. In a dark notebook the text, which uses the colour of the page, would be white on white. */
function withoutBackground(html: string): string {
  return html.replace(/--plot-background:\s*white/gu, '--plot-background: transparent')
}

function isSvg(element: Element): boolean {
  return element.tagName.toLowerCase() === 'svg'
}

function svgsOf(figure: Element): Element[] {
  return isSvg(figure) ? [figure] : [...figure.querySelectorAll('svg')]
}

/** A colour or symbol of a legend, with its name. Source: Plot 0.6.17, legends/swatches.js. */
const swatch = '[class$="-swatch"]'

/** Legends are SVG elements too, and precede the drawing. A swatch legend on its own has one SVG for each name and no drawing. */
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
