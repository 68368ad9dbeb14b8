import { encodePng, type Pixels } from './png.ts'

/** The part of a window that {@link addCanvases} uses. */
interface WindowWithCanvas {
  readonly HTMLCanvasElement: { readonly prototype: object }
}

interface Canvas {
  width: number
  height: number
}

/** What was drawn on a canvas: rectangles of one colour (as SVG), or pixels. */
interface Drawn {
  readonly rects: string[]
  pixels: Pixels | null
}

/**
 * Give a window without a browser the canvas methods that Plot calls, so that no drawing library is needed. Plot draws two things on canvases: the colour strip
 * of a continuous legend, which becomes an SVG image, and the pixels of a raster, which become a PNG. Other drawing calls do not exist.
 *
 * Source: Plot 0.6.17, legends/ramp.js and marks/raster.js.
 */
export function addCanvases({ HTMLCanvasElement }: WindowWithCanvas): void {
  const drawnOn = new WeakMap<object, Drawn>()
  Object.assign(HTMLCanvasElement.prototype, {
    getContext(this: object) {
      const drawn: Drawn = { rects: [], pixels: null }
      drawnOn.set(this, drawn)
      return {
        fillStyle: 'black',
        fillRect(x: number, y: number, width: number, height: number) {
          const color = this.fillStyle.replace(/[^\w#%.,() -]/gu, '')
          drawn.rects.push(
            `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${color}"/>`,
          )
        },
        createImageData: (width: number, height: number): Pixels => ({
          width,
          height,
          data: new Uint8ClampedArray(width * height * 4),
        }),
        putImageData(pixels: Pixels) {
          drawn.pixels = pixels
        },
      }
    },
    toDataURL(this: Canvas) {
      const drawn = drawnOn.get(this)
      if (drawn?.pixels != null)
        return `data:image/png;base64,${encodePng(drawn.pixels).toString('base64')}`
      const size = `width="${this.width}" height="${this.height}"`
      const box = `viewBox="0 0 ${this.width} ${this.height}" preserveAspectRatio="none"`
      const content = drawn?.rects.join('') ?? ''
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${box} shape-rendering="crispEdges">${content}</svg>`
      return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
    },
  })
}
