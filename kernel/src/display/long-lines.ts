import { maxSmoothLength, scale } from './picture.ts'

/** The most segments of one path. A renderer sorts the edges of a stroke that crosses itself, so short paths render twenty times faster than one long line. */
const pieceSegments = 100
/** The most segments of a line that are drawn. Drawing so many takes 3 s. */
export const maxSegments = 100_000

/** A point of a line, and the path command that leads to it. */
interface Segment {
  readonly text: string
  readonly x: number
  readonly y: number
  /** Whether it is a move: it begins a new part of the line, and nothing is drawn to it. */
  readonly isMove: boolean
  readonly isStraight: boolean
}

/** Lines that are too long to be rendered as they are. */
export interface LongLines {
  /** Whether there are any. Then the picture must be rendered without anti-aliasing, because the smooth edges of overlapping paths would add up. */
  readonly areThere: boolean
  /** The number of segments of each line that was thinned out: even at the resolution of the picture it has more segments than {@link maxSegments}. */
  readonly thinned: readonly number[]
  /** Put the original lines back. */
  restore(): void
}

/**
 * Replace the long lines of a drawing before it is rendered. Points that cannot be seen in the picture are left out: those between others in the same column or
 * row of pixels. The rest becomes several short paths. A line is long when its path data is longer than `minLength`. A line that still has more than
 * {@link maxSegments} is thinned out.
 */
export function replaceLongLines(svg: Element, minLength = maxSmoothLength): LongLines {
  const replaced: { readonly line: Element; readonly pieces: Element }[] = []
  const thinned: number[] = []
  for (const line of svg.querySelectorAll('path')) {
    const d = line.getAttribute('d') ?? ''
    if (d.length <= minLength || !isStroke(line)) continue
    const segments = readSegments(d)
    if (segments === null) continue
    const visible = keepVisible(segments)
    if (visible.length > maxSegments) thinned.push(visible.length)
    const pieces = piecesOf(line, thinOut(visible))
    line.replaceWith(pieces)
    replaced.push({ line, pieces })
  }
  return {
    areThere: replaced.length > 0,
    thinned,
    restore() {
      for (const { line, pieces } of replaced) pieces.replaceWith(line)
    },
  }
}

/** Tell whether a path has a stroke and no fill. A filled path cannot be split. */
function isStroke(line: Element): boolean {
  return line.closest('[fill]')?.getAttribute('fill') === 'none'
}

/** Parse a path of absolute commands, as d3 writes them. Null when it has other commands. */
function readSegments(d: string): Segment[] | null {
  const segments: Segment[] = []
  for (const [text, command = '', numbers = ''] of d.matchAll(/([A-Za-z])([^A-Za-z]*)/gu)) {
    if (!'MLCQ'.includes(command)) return null
    const [y, x] = numbers
      .split(/[\s,]+/u)
      .map(Number)
      .reverse()
    if (x === undefined || y === undefined || Number.isNaN(x + y)) return null
    segments.push({ text, x, y, isMove: command === 'M', isStraight: command === 'L' })
  }
  return segments
}

/**
 * Leave out points that a picture cannot show. For consecutive points in one column of pixels, the line through the first, the highest, the lowest and the last
 * covers the same pixels as the line through all. The same holds for a row.
 *
 * Source: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014.
 */
function keepVisible(segments: readonly Segment[]): Segment[] {
  return keepEnds(keepEnds(segments, 'x', 'y'), 'y', 'x')
}

function keepEnds(segments: readonly Segment[], along: 'x' | 'y', across: 'x' | 'y'): Segment[] {
  const kept: Segment[] = []
  const pixelOf = (segment: Segment): number => Math.floor(segment[along] * scale)
  for (let start = 0; start < segments.length;) {
    const first = segments[start]
    if (first === undefined) break
    let end = start + 1
    let [low, high] = [first, first]
    for (let next = segments[end]; next !== undefined; next = segments[++end]) {
      if (!next.isStraight || pixelOf(next) !== pixelOf(first)) break
      if (next[across] < low[across]) low = next
      if (next[across] > high[across]) high = next
    }
    const last = segments[end - 1] ?? first
    const ends = new Set([first, low, high, last])
    for (let at = start; at < end && ends.size > 0; at++) {
      const segment = segments[at]
      if (segment !== undefined && ends.delete(segment)) kept.push(segment)
    }
    start = end
  }
  return kept
}

function thinOut(segments: readonly Segment[]): readonly Segment[] {
  const every = Math.ceil(segments.length / maxSegments)
  if (every === 1) return segments
  return segments.filter(({ isMove }, index) => isMove || index % every === 0)
}

/** Make a group of short paths that replaces a line. The opacity is set on the group, so that the points where two paths meet do not show. */
function piecesOf(line: Element, segments: readonly Segment[]): Element {
  const document = line.ownerDocument
  const make = (tag: string): Element => document.createElementNS('http://www.w3.org/2000/svg', tag)
  const group = make('g')
  for (const { name, value } of line.attributes) if (name !== 'd') group.setAttribute(name, value)
  const opacity = Number(line.closest('[stroke-opacity]')?.getAttribute('stroke-opacity') ?? 1)
  if (opacity < 1) {
    const own = Number(line.getAttribute('opacity') ?? 1)
    group.setAttribute('opacity', String(opacity * own))
    group.setAttribute('stroke-opacity', '1')
  }
  for (let start = 0; start < segments.length; start += pieceSegments) {
    const before = segments[start - 1]
    const piece = segments.slice(start, start + pieceSegments)
    const from = before === undefined || piece[0]?.isMove ? '' : `M${before.x},${before.y}`
    const path = make('path')
    path.setAttribute('d', from + piece.map(({ text }) => text).join(''))
    const isLast = start + pieceSegments >= segments.length
    setMarkers(path, line, { isFirst: start === 0, isLast })
    group.append(path)
  }
  return group
}

/** Give a path the markers (dots, arrows) of its part of the line. Where two paths meet is the middle of the line, not an end. */
function setMarkers(
  piece: Element,
  line: Element,
  { isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean },
): void {
  const markerOf = (name: string): string => line.closest(`[${name}]`)?.getAttribute(name) ?? 'none'
  if (!isFirst && markerOf('marker-start') !== 'none') piece.setAttribute('marker-start', 'none')
  if (!isLast && markerOf('marker-end') !== markerOf('marker-mid'))
    piece.setAttribute('marker-end', markerOf('marker-mid'))
}
