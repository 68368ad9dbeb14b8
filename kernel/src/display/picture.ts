import { createRequire } from 'node:module'
import { LabError, messageOf } from '@community-lab/contract'
import type * as Resvg from '@resvg/resvg-js'
import { brighten } from './hidden-parts.ts'

const require = createRequire(import.meta.url)

/** Pixels of a picture per unit of its drawing. 2: for high-resolution screens. */
export const scale = 2
/** The fonts in which pictures are drawn on every machine. Without them, a machine that has no fonts would draw no text. */
const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSansMono.ttf']
const family = 'DejaVu Sans'
/** Characters that DejaVu lacks, such as Chinese ones. They are drawn in fonts of the machine. */
const otherLetters = /[\u0900-\u109f\u1100-\u1d2b\u2e80-\ua6ff\uac00-\ufaff]|[\u{1f000}-\u{3ffff}]/u

/** A rectangle of a drawing, in its own units. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Anti-aliasing of longer SVG text, for example a line of ten thousand points, takes seconds: ten times as long. */
export const maxSmoothLength = 128 * 1024

/**
 * Render an SVG as PNG: black on white, at {@link scale} times its size. It is anti-aliased if `isSmooth` and if the text is not too long. Null when it cannot
 * be rendered.
 *
 * @throws {@link LabError} LAB_FIGURE_INVALID when the rendering library is missing.
 */
export function renderPng(svg: string, isSmooth = true): Uint8Array | null {
  const resvg = loadResvg()
  const shapeRendering = isSmooth && svg.length <= maxSmoothLength ? 2 : 0
  try {
    // A PNG has no surrounding page, so `currentColor` needs a value.
    const drawing = svg.replace('<svg', '<svg color="black"')
    return open(resvg, drawing, {
      shapeRendering,
      background: 'white',
      fitTo: { mode: 'zoom', value: scale },
    })
      .render()
      .asPng()
  } catch {
    // resvg cannot parse this SVG. The notebook still shows the SVG itself.
    return null
  }
}

/** Render an SVG at its own size. Returns its pixels, with colours premultiplied by alpha. @throws {@link LabError} LAB_FIGURE_INVALID as {@link renderPng}. */
export function drawPixels(svg: string): { readonly data: Uint8Array } {
  return { data: open(loadResvg(), svg, {}).render().pixels }
}

/** Return the bounding box of all visible elements of an SVG; null when there are none. @throws {@link LabError} LAB_FIGURE_INVALID as {@link renderPng}. */
export function boundsOf(svg: string): Box | null {
  const resvg = loadResvg()
  try {
    return open(resvg, svg, {}).getBBox() ?? null
  } catch {
    // resvg cannot parse this SVG. The notebook shows the SVG without a picture.
    return null
  }
}

interface Library {
  readonly resvg: typeof Resvg
  /** Paths of font files. */
  readonly fonts: string[]
}

/** Load resvg when it is needed, because most cells draw nothing. */
function loadResvg(): Library {
  try {
    return {
      resvg: require('@resvg/resvg-js') as typeof Resvg,
      fonts: fontFiles.map((file) => require.resolve(`dejavu-fonts-ttf/ttf/${file}`)),
    }
  } catch (cause) {
    const [reason = ''] = messageOf(cause).split('\n')
    const problem = `a package that draws it cannot be loaded (${reason})`
    const write =
      'install the packages again: npm install, where @community-lab/kernel is installed'
    throw new LabError('LAB_FIGURE_INVALID', { problem, write }, { cause })
  }
}

function open(
  { resvg, fonts }: Library,
  svg: string,
  options: Resvg.ResvgRenderOptions,
): Resvg.Resvg {
  const font = {
    loadSystemFonts: otherLetters.test(svg),
    fontFiles: fonts,
    defaultFontFamily: family,
    sansSerifFamily: family,
    monospaceFamily: 'DejaVu Sans Mono',
  }
  return new resvg.Resvg(brighten(svg), { ...options, font })
}
