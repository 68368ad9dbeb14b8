import * as ObservablePlot from '@observablehq/plot'
import { marksAttribute, maxMarks } from './figure.ts'
import { drawPixels, scale } from './picture.ts'
import { encodePng, type Pixels } from './png.ts'

/** The positions of dots are rounded to this fraction of a pixel (4: a quarter), so that dots share masks. */
const phases = 4
/** Radii and stroke widths are rounded to this fraction of a unit (4: a quarter), so that dots share masks. */
const sizeParts = 4

/** How a dot is drawn. The members are SVG attributes. */
interface Style {
  readonly fill: string
  readonly stroke: string
  readonly fillOpacity: number
  readonly strokeOpacity: number
  readonly strokeWidth: number
  readonly opacity: number
  readonly r: number
}

/** The values of each channel, one for each dot. A channel that is missing has one value for all dots. */
type Channels = Readonly<Record<string, ArrayLike<unknown> | undefined>>

interface DotMark {
  readonly mixBlendMode?: unknown
  readonly imageFilter?: unknown
  readonly strokeDasharray?: unknown
  render(
    index: readonly number[],
    scales: object,
    channels: Channels,
    dimensions: { readonly width: number; readonly height: number },
    context: object,
  ): Element
}

// Plot's types do not declare this method of marks. It makes one element for each dot, which takes seconds for 100,000 dots. Above a limit the dots are drawn
// into one picture instead.
const dots = ObservablePlot.Dot.prototype as unknown as DotMark
const renderDots = dots.render
dots.render = function render(this: DotMark, index, scales, channels, dimensions, context) {
  const draw = (some: readonly number[]): Element =>
    renderDots.call(this, some, scales, channels, dimensions, context)
  const isPlain = this.mixBlendMode == null && this.imageFilter == null
  if (index.length <= maxMarks || !isPlain || this.strokeDasharray != null) return draw(index)
  // Plot draws one dot as usual. Its attributes are those of all dots.
  const group = draw(index.slice(0, 1))
  const [first] = group.children
  if (first?.tagName !== 'circle') return draw(index)
  const style = styleOf(group, first)
  const place = [Number(first.getAttribute('cx')), Number(first.getAttribute('cy'))] as const
  const layer = new DotLayer(dimensions.width, dimensions.height)
  for (const i of index) {
    const x = Number(channels['x']?.[i] ?? place[0])
    const y = Number(channels['y']?.[i] ?? place[1])
    layer.add(x, y, styleAt(style, channels, i))
  }
  const image = group.ownerDocument.createElementNS('http://www.w3.org/2000/svg', 'image')
  const attributes = {
    width: dimensions.width,
    height: dimensions.height,
    [marksAttribute]: index.length,
    href: `data:image/png;base64,${encodePng(layer.pixels()).toString('base64')}`,
  }
  for (const [name, value] of Object.entries(attributes)) image.setAttribute(name, String(value))
  first.replaceWith(image)
  return group
}

function styleOf(group: Element, dot: Element): Style {
  const read = (name: string): string | null => dot.getAttribute(name) ?? group.getAttribute(name)
  const number = (name: string, otherwise: number): number => Number(read(name) ?? otherwise)
  return {
    fill: read('fill') ?? 'black',
    stroke: read('stroke') ?? 'none',
    fillOpacity: number('fill-opacity', 1),
    strokeOpacity: number('stroke-opacity', 1),
    strokeWidth: number('stroke-width', 1),
    opacity: number('opacity', 1),
    r: number('r', 3),
  }
}

const channelNames = Object.keys({
  fill: 0,
  stroke: 0,
  fillOpacity: 0,
  strokeOpacity: 0,
  strokeWidth: 0,
  opacity: 0,
  r: 0,
} satisfies Record<keyof Style, 0>)

function styleAt(style: Style, channels: Channels, index: number): Style {
  let own = style
  for (const name of channelNames) {
    const value = channels[name]?.[index]
    if (value != null) own = { ...own, [name]: value }
  }
  return own
}

/** The share of each pixel of a small square that a disk, and a ring around it, cover: 0 to 1. */
interface Mask {
  readonly size: number
  /** Pixels from the edge of the square to the pixel that holds the centre of the dot. */
  readonly center: number
  readonly fill: Float32Array
  readonly stroke: Float32Array
}

/** Red, green and blue from 0 to 255; alpha from 0 to 1. */
type Color = readonly [number, number, number, number]

/** A transparent picture. Each dot is drawn over the earlier ones. */
class DotLayer {
  readonly #width: number
  readonly #height: number
  /** Four numbers for each pixel. Colours are premultiplied by alpha. */
  readonly #data: Float32Array
  readonly #masks = new Map<string, Mask>()
  readonly #colors = new Map<string, Color>()

  constructor(width: number, height: number) {
    this.#width = Math.ceil(width * scale)
    this.#height = Math.ceil(height * scale)
    this.#data = new Float32Array(this.#width * this.#height * 4)
  }

  add(x: number, y: number, style: Style): void {
    if (!Number.isFinite(x) || !Number.isFinite(y) || style.r < 0) return
    const [left, shiftX] = splitPlace(x)
    const [top, shiftY] = splitPlace(y)
    const mask = this.#mask({ ...style, shiftX, shiftY })
    const fill = this.#color(style.fill)
    const stroke = this.#color(style.stroke)
    const fillAlpha = fill[3] * style.fillOpacity
    const strokeAlpha = stroke[3] * style.strokeOpacity
    for (let row = 0; row < mask.size; row++) {
      const at = top - mask.center + row
      if (at < 0 || at >= this.#height) continue
      for (let column = 0; column < mask.size; column++) {
        const along = left - mask.center + column
        if (along < 0 || along >= this.#width) continue
        const source = row * mask.size + column
        const over = (mask.stroke[source] ?? 0) * strokeAlpha
        const under = (mask.fill[source] ?? 0) * fillAlpha * (1 - over)
        const alpha = (over + under) * style.opacity
        if (alpha === 0) continue
        const pixel = (at * this.#width + along) * 4
        const keep = 1 - alpha
        for (let channel = 0; channel < 3; channel++) {
          const color = (stroke[channel] ?? 0) * over + (fill[channel] ?? 0) * under
          const before = this.#data[pixel + channel] ?? 0
          this.#data[pixel + channel] = color * style.opacity + before * keep
        }
        this.#data[pixel + 3] = alpha + (this.#data[pixel + 3] ?? 0) * keep
      }
    }
  }

  pixels(): Pixels {
    const data = new Uint8ClampedArray(this.#data.length)
    for (let pixel = 0; pixel < data.length; pixel += 4) {
      const alpha = this.#data[pixel + 3] ?? 0
      if (alpha === 0) continue
      for (let channel = 0; channel < 3; channel++)
        data[pixel + channel] = (this.#data[pixel + channel] ?? 0) / alpha
      data[pixel + 3] = alpha * 255
    }
    return { width: this.#width, height: this.#height, data }
  }

  #mask({
    r,
    strokeWidth,
    shiftX,
    shiftY,
  }: Pick<Style, 'r' | 'strokeWidth'> & {
    readonly shiftX: number
    readonly shiftY: number
  }): Mask {
    const radius = Math.round(r * sizeParts) / sizeParts
    const width = Math.round(strokeWidth * sizeParts) / sizeParts
    const key = `${radius} ${width} ${shiftX} ${shiftY}`
    const known = this.#masks.get(key)
    if (known !== undefined) return known
    const center = Math.ceil((radius + width / 2) * scale) + 1
    const size = 2 * center + 1
    const place = `cx="${center + shiftX}" cy="${center + shiftY}" r="${radius * scale}"`
    const cover = (paint: string): Float32Array => {
      const { data } = drawPixels(
        `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><circle ${place} ${paint}/></svg>`,
      )
      return Float32Array.from(
        { length: size * size },
        (_, pixel) => (data[pixel * 4 + 3] ?? 0) / 255,
      )
    }
    const mask = {
      size,
      center,
      fill: cover('fill="white"'),
      stroke: cover(`fill="none" stroke="white" stroke-width="${width * scale}"`),
    }
    this.#masks.set(key, mask)
    return mask
  }

  #color(text: string): Color {
    const known = this.#colors.get(text)
    if (known !== undefined) return known
    const color = readColor(text)
    this.#colors.set(text, color)
    return color
  }
}

/** Split a position into its pixel and the fraction, which is rounded. */
function splitPlace(place: number): readonly [number, number] {
  const rounded = Math.round(place * scale * phases) / phases
  const pixel = Math.floor(rounded)
  return [pixel, rounded - pixel]
}

/** Parse the forms that colour scales write. Any other colour is rendered once to find out its value. */
function readColor(text: string): Color {
  if (text === 'none') return [0, 0, 0, 0]
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/iu.exec(text)
  if (hex !== null) return [hexByte(hex[1]), hexByte(hex[2]), hexByte(hex[3]), 1]
  const rgb = /^rgb\((\d+), (\d+), (\d+)\)$/u.exec(text)
  if (rgb !== null) return [Number(rgb[1]), Number(rgb[2]), Number(rgb[3]), 1]
  const paint = text.replace(/[^\w#%.,() -]/gu, '')
  const { data } = drawPixels(
    `<svg xmlns="http://www.w3.org/2000/svg" color="black" width="1" height="1"><rect width="1" height="1" fill="${paint}"/></svg>`,
  )
  const [red = 0, green = 0, blue = 0, alpha = 0] = data
  // The rendered colours are premultiplied by alpha.
  const by = alpha === 0 ? 0 : 255 / alpha
  return [red * by, green * by, blue * by, alpha / 255]
}

function hexByte(text: string | undefined): number {
  return Number.parseInt(text ?? '0', 16)
}
