import { noteLabel } from './label-room.ts'

/** The most texts of a picture. Drawing each takes about half a millisecond. */
export const maxTexts = 2_000

/** Colours of CSS that browsers know and the renderer of pictures does not. */
const unknownColor =
  /(?:fill|stroke|stop-color|color)(?:="|:\s*)((?:oklch|oklab|lab|lch|color|color-mix|hwb)\([^"<>]*\))/u

/** Hide the texts beyond {@link maxTexts} of a drawing before it is rendered. Labels of axes come first in a drawing, notes are kept. */
export function hideTexts(svg: Element): { readonly count: number; restore(): void } {
  const texts = [...svg.querySelectorAll('text')].filter(
    (text) => text.getAttribute('aria-label') !== noteLabel,
  )
  // Taking thousands of elements out of a document takes seconds.
  const hidden = texts.slice(maxTexts).filter((text) => !text.hasAttribute('display'))
  for (const text of hidden) text.setAttribute('display', 'none')
  return {
    count: hidden.length,
    restore() {
      for (const text of hidden) text.removeAttribute('display')
    },
  }
}

/** Say in a sentence each what a page shows of a figure and a picture does not: images of the web, and colours that only browsers know. */
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

/** Write colours that depend on the page's brightness as they are on a bright page, on which pictures are drawn. */
export function brighten(svg: string): string {
  return svg.replaceAll(
    /light-dark\(\s*((?:[^(),]|\([^()]*\))+),(?:[^()]|\([^()]*\))+\)/gu,
    (_all, light: string) => light.trim(),
  )
}
