import { noteLabel } from './note.ts'

/** The most texts of a picture. Drawing one takes about 0.5 ms. */
export const maxTexts = 2_000

/** CSS colours that browsers know and the renderer of pictures does not. */
const unknownColor =
  /(?:fill|stroke|stop-color|color)(?:="|:\s*)((?:oklch|oklab|lab|lch|color|color-mix|hwb)\([^"<>]*\))/u

/** Hide the texts of a drawing beyond {@link maxTexts} before it is rendered. Labels of axes come first in a drawing. Notes are not hidden. */
export function hideTexts(svg: Element): { readonly count: number; restore(): void } {
  const texts = [...svg.querySelectorAll('text')].filter(
    (text) => text.getAttribute('aria-label') !== noteLabel,
  )
  // Hide them, because removing thousands of elements from a document takes seconds.
  const hidden = texts.slice(maxTexts).filter((text) => !text.hasAttribute('display'))
  for (const text of hidden) text.setAttribute('display', 'none')
  return {
    count: hidden.length,
    restore() {
      for (const text of hidden) text.removeAttribute('display')
    },
  }
}

/** List what a page shows of a figure and a picture does not, one sentence each: images of the web, and colours that only browsers know. */
export function listLost(figure: Element): readonly string[] {
  const links = [...figure.querySelectorAll('svg image')].map(
    (image) => image.getAttribute('href') ?? image.getAttribute('xlink:href') ?? '',
  )
  const away = links.filter((link) => link !== '' && !link.startsWith('data:'))
  const color = unknownColor.exec(figure.outerHTML)?.[1]
  return [
    ...(away.length === 0
      ? []
      : [
          `images of the web (${away.length}) are drawn in pages alone, as long as they are there, and not in pictures. A data: address is drawn everywhere`,
        ]),
    ...(color === undefined
      ? []
      : [
          `pictures lack the colour ${color}, which only browsers know. rgb(…) is drawn everywhere`,
        ]),
  ]
}

/** Replace colours that depend on the brightness of the page by those of a bright page, because pictures have a white background. */
export function brighten(svg: string): string {
  return svg.replaceAll(
    /light-dark\(\s*((?:[^(),]|\([^()]*\))+),(?:[^()]|\([^()]*\))+\)/gu,
    (_all, light: string) => light.trim(),
  )
}
