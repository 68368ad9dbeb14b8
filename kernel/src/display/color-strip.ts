/** What this needs of a window. */
interface WindowWithCanvas {
  readonly HTMLCanvasElement: { readonly prototype: object }
}

interface Strip {
  width: number
  height: number
}

/**
 * Let canvases of a window without a browser hold what Plot's continuous legends draw into them: a strip of colours, one pixel after another. It becomes
 * an SVG image, so no drawing library is needed. Nothing else can be drawn.
 */
export function addColorStrips({ HTMLCanvasElement }: WindowWithCanvas): void {
  const drawn = new WeakMap<object, string[]>()
  Object.assign(HTMLCanvasElement.prototype, {
    getContext(this: object) {
      const rects: string[] = []
      drawn.set(this, rects)
      return {
        fillStyle: 'black',
        fillRect(x: number, y: number, width: number, height: number) {
          const color = this.fillStyle.replace(/[^\w#%.,() -]/gu, '')
          rects.push(
            `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${color}"/>`,
          )
        },
      }
    },
    toDataURL(this: Strip) {
      const size = `width="${this.width}" height="${this.height}"`
      const box = `viewBox="0 0 ${this.width} ${this.height}" preserveAspectRatio="none"`
      const content = (drawn.get(this) ?? []).join('')
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${box} shape-rendering="crispEdges">${content}</svg>`
      return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
    },
  })
}
