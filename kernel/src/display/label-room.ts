import { noteLabel } from './note.ts'
import { boundsOf, type Box } from './picture.ts'
import { toXml } from './xml.ts'

/** A drawing may have more texts than this; then only the first ones are measured, since measuring takes time. Labels of axes come first. */
const maxTexts = 1_000
/** Pixels between a label and the edge: the fonts of browsers differ from the one that is measured. */
const paddingPx = 3
/** The height of a line of text, in pixels. */
const linePx = 14

/** Inherited attributes that determine the width and position of a text. */
const inherited = ['transform', 'font-size', 'font-family', 'font-weight', 'font-style'].concat(
  'font-variant',
  'letter-spacing',
  'text-anchor',
  'style',
)

/**
 * Widen a drawing so that no text that begins in it is cut off, and place its notes below it. A plotting library that cannot measure text reserves space for a
 * few digits, and cuts off long names and large numbers. A drawing that was widened already stays as it is.
 */
export function makeRoomForLabels(svg: Element): void {
  const texts = [...svg.querySelectorAll('text')]
  const isNote = (text: Element): boolean => text.getAttribute('aria-label') === noteLabel
  const [before, widened] = widenFor(svg, texts.filter((text) => !isNote(text)).slice(0, maxTexts))
  const after = moveAxisNames(svg, { before, after: widened })
  const notes = texts.filter((text) => isNote(text) && !text.hasAttribute('y'))
  for (const note of notes) {
    note.setAttribute('x', String(after.x + paddingPx))
    note.setAttribute('y', String(after.y + after.height))
  }
  widenFor(svg, notes)
}

/** Widen a drawing for some of its texts. Returns its view box before and after. */
function widenFor(svg: Element, texts: readonly Element[]): readonly [before: Box, after: Box] {
  const box = maybeViewBox(svg) ?? { x: 0, y: 0, width: 0, height: 0 }
  const shown = texts.filter((text) => isWithin(box, positionOf(text, svg)))
  const bounds = shown.length === 0 ? null : boundsOf(probeOf(svg, { box, texts: shown }))
  if (bounds === null) return [box, box]
  const to = unite(box, bounds)
  if (to.width > box.width || to.height > box.height) resize(svg, { from: box, to })
  return [box, to]
}

/**
 * The name of an axis stands outside of the tick labels, so it moves with the edge. A name in the middle of its side, where the labels are, gets a line of its
 * own. Source: Plot 0.6.17, `aria-label` and `text-anchor` in marks/axis.js.
 */
function moveAxisNames(
  svg: Element,
  { before, after }: { readonly before: Box; readonly after: Box },
): Box {
  let shown = after
  for (const group of svg.querySelectorAll('g[aria-label$="axis label"]')) {
    const [text] = group.querySelectorAll('text')
    if (text === undefined) continue
    const side = sideOf(group, { before, at: positionOf(text, svg) })
    const grown = Math.abs(edgeOf(after, side) - edgeOf(before, side))
    if (grown === 0) continue
    if (!group.hasAttribute('text-anchor')) shown = withLine(shown, side)
    const by = edgeOf(shown, side) - edgeOf(before, side)
    const move = side === 'left' || side === 'right' ? `translate(${by},0)` : `translate(0,${by})`
    group.setAttribute('transform', `${move} ${group.getAttribute('transform') ?? ''}`.trim())
  }
  if (shown !== after) resize(svg, { from: after, to: shown })
  return shown
}

type Side = 'left' | 'right' | 'top' | 'bottom'

function sideOf(
  group: Element,
  { before, at }: { readonly before: Box; readonly at: { readonly x: number; readonly y: number } },
): Side {
  const isVertical = /^f?y/u.test(group.getAttribute('aria-label') ?? '')
  if (isVertical) return at.x < before.x + before.width / 2 ? 'left' : 'right'
  return at.y < before.y + before.height / 2 ? 'top' : 'bottom'
}

function edgeOf({ x, y, width, height }: Box, side: Side): number {
  return { left: x, right: x + width, top: y, bottom: y + height }[side]
}

function withLine(box: Box, side: Side): Box {
  const { x, y, width, height } = box
  if (side === 'left') return { ...box, x: x - linePx, width: width + linePx }
  if (side === 'top') return { ...box, y: y - linePx, height: height + linePx }
  return side === 'right' ? { ...box, width: width + linePx } : { ...box, height: height + linePx }
}

function maybeViewBox(svg: Element): Box | null {
  const numbers = (svg.getAttribute('viewBox') ?? '')
    .trim()
    .split(/[\s,]+/u)
    .map(Number)
  const [x, y, width, height] = numbers
  if (x === undefined || y === undefined || width === undefined || height === undefined) return null
  return [x, y, width, height].every(Number.isFinite) && width > 0 && height > 0
    ? { x, y, width, height }
    : null
}

/** Return where a text begins: its own position, plus the translations of its ancestors. */
function positionOf(text: Element, svg: Element): { readonly x: number; readonly y: number } {
  let x = lengthOf(text.getAttribute('x'))
  let y = lengthOf(text.getAttribute('y'))
  for (const element of ancestorsOf(text, svg)) {
    const transform = element.getAttribute('transform') ?? ''
    for (const [, dx, dy] of transform.matchAll(
      /translate\(\s*([-\d.e]+)(?:[\s,]+([-\d.e]+))?/gu,
    )) {
      x += Number(dx)
      y += Number(dy ?? 0)
    }
  }
  return { x, y }
}

/** Parse a length in pixels. Other units are taken as 0: one such as `0.32em` moves a text by less than its height. */
function lengthOf(attribute: string | null): number {
  const length = Number(attribute ?? 0)
  return Number.isFinite(length) ? length : 0
}

/** Return an element and its ancestors inside the drawing, innermost first. */
function ancestorsOf(element: Element, svg: Element): Element[] {
  const found: Element[] = []
  for (let at: Element | null = element; at !== null && at !== svg; at = at.parentElement)
    found.push(at)
  return found
}

function isWithin(box: Box, { x, y }: { readonly x: number; readonly y: number }): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height
}

/** Return a copy of the drawing that has only these texts. */
function probeOf(
  svg: Element,
  { box, texts }: { readonly box: Box; readonly texts: readonly Element[] },
): string {
  const content = texts.map((text) => {
    const outer = ancestorsOf(text, svg).slice(1)
    return outer.reduce((inner, element) => `<g ${attributesOf(element)}>${inner}</g>`, toXml(text))
  })
  const size = `width="${box.width}" height="${box.height}" viewBox="${box.x} ${box.y} ${box.width} ${box.height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><g ${attributesOf(svg)}>${content.join('')}</g></svg>`
}

function attributesOf(element: Element): string {
  return inherited
    .flatMap((name) => {
      const value = element.getAttribute(name)
      return value === null ? [] : [`${name}="${value.replace(/["<&]/gu, '')}"`]
    })
    .join(' ')
}

/** Return the first box, extended to contain the second. The extension is limited, so that one very long label does not shrink everything else. */
function unite(box: Box, bounds: Box): Box {
  const least = { x: box.x - box.width, y: box.y - box.height }
  const most = { x: box.x + 2 * box.width, y: box.y + 2 * box.height }
  const room = (is: boolean): number => (is ? paddingPx : 0)
  const [right, bottom] = [bounds.x + bounds.width, bounds.y + bounds.height]
  const x = Math.max(least.x, Math.min(box.x, bounds.x - room(bounds.x < box.x)))
  const y = Math.max(least.y, Math.min(box.y, bounds.y - room(bounds.y < box.y)))
  const endX = Math.min(
    most.x,
    Math.max(box.x + box.width, right + room(right > box.x + box.width)),
  )
  const endY = Math.min(
    most.y,
    Math.max(box.y + box.height, bottom + room(bottom > box.y + box.height)),
  )
  return {
    x: Math.floor(x),
    y: Math.floor(y),
    width: Math.ceil(endX - x),
    height: Math.ceil(endY - y),
  }
}

/** Change the view box of a drawing, at the same scale. */
function resize(svg: Element, { from, to }: { readonly from: Box; readonly to: Box }): void {
  svg.setAttribute('viewBox', `${to.x} ${to.y} ${to.width} ${to.height}`)
  for (const side of ['width', 'height'] as const) {
    const length = Number(svg.getAttribute(side) ?? Number.NaN)
    if (Number.isFinite(length))
      svg.setAttribute(side, String(Math.ceil((length * to[side]) / from[side])))
  }
}
