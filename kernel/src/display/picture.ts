import { createRequire } from 'node:module'
import { LabError } from '@community-lab/contract'
import type * as Resvg from '@resvg/resvg-js'

const require = createRequire(import.meta.url)

/** Pixels of a picture for each unit of its drawing: for fine screens. */
export const scale = 2
/** The fonts that pictures are drawn with, on every machine: one without fonts would draw no text at all. */
const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSansMono.ttf']
const family = 'DejaVu Sans'
/** Letters that DejaVu lacks, Chinese for one: the machine's own fonts are asked. */
const otherLetters = /[\u0900-\u109f\u1100-\u1d2b\u2e80-\ua6ff\uac00-\ufaff]|[\u{1f000}-\u{3ffff}]/u

/** A part of a drawing, in its own units. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Smoothing the edges of more text than this, a line of ten thousand points for one, takes ten times as long: seconds. */
export const maxSmoothLength = 128 * 1024

/**
 * Draw an SVG as PNG: black on white, at twice its size for fine screens. Its edges are smooth, where that
 * is wanted and does not take long. Null for one that cannot be drawn.
 *
 * @throws {@link LabError} LAB_FIGURE_INVALID when the library that draws it is not there.
 */
export function renderPng(svg: string, isSmooth = true): Uint8Array | null {
  const resvg = loadResvg()
  const shapeRendering = isSmooth && svg.length <= maxSmoothLength ? 2 : 0
  try {
    // A PNG knows no page around it whose colour its text could take.
    const drawing = svg.replace('<svg', '<svg color="black"')
    return open(resvg, drawing, {
      shapeRendering,
      background: 'white',
      fitTo: { mode: 'zoom', value: scale },
    })
      .render()
      .asPng()
  } catch {
    // resvg refuses what it does not know; the SVG itself is shown all the same.
    return null
  }
}

/** Draw an SVG at its own size: its pixels, whose colours are multiplied by alpha. @throws {@link LabError} LAB_FIGURE_INVALID as {@link renderPng}. */
export function drawPixels(svg: string): { readonly data: Uint8Array } {
  return { data: open(loadResvg(), svg, {}).render().pixels }
}

/** The box around everything in an SVG that is visible; null when nothing is. @throws {@link LabError} LAB_FIGURE_INVALID as {@link renderPng}. */
export function boundsOf(svg: string): Box | null {
  const resvg = loadResvg()
  try {
    return open(resvg, svg, {}).getBBox() ?? null
  } catch {
    // resvg refuses SVG that it does not know; then the SVG is shown without a picture.
    return null
  }
}

interface Library {
  readonly resvg: typeof Resvg
  /** Paths of the fonts. */
  readonly fonts: string[]
}

/** Loaded late: most cells draw nothing. */
function loadResvg(): Library {
  try {
    return {
      resvg: require('@resvg/resvg-js') as typeof Resvg,
      fonts: fontFiles.map((file) => require.resolve(`dejavu-fonts-ttf/ttf/${file}`)),
    }
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
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
  return new resvg.Resvg(svg, { ...options, font })
}
