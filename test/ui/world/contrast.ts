import type { Locator } from 'playwright-core'

/**
 * Return the contrast of an element's text with its background, 1 to 21.
 *
 * Source: WCAG 2.2, "contrast ratio" and "relative luminance".
 */
export async function contrastOf(element: Locator): Promise<number> {
  const [text, ground] = await element.evaluate((node) => {
    let place: Element | null = node
    const groundOf = (): string =>
      place === null ? 'rgb(255, 255, 255)' : getComputedStyle(place).backgroundColor
    while (place !== null && groundOf() === 'rgba(0, 0, 0, 0)') place = place.parentElement
    return [getComputedStyle(node).color, groundOf()] as const
  })
  const under = channelsOf(ground)
  const over = blend(channelsOf(text), under)
  const [light = 0, dark = 0] = [luminanceOf(over), luminanceOf(under)].sort((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

/** Red, green, blue from 0 to 255, and opacity from 0 to 1. */
type Channels = readonly [number, number, number, number]

function channelsOf(text: string): Channels {
  const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/gu) ?? []).map(Number)
  return [red, green, blue, alpha]
}

function blend(over: Channels, under: Channels): Channels {
  const [, , , alpha] = over
  const mixed = ([0, 1, 2] as const).map((at) => over[at] * alpha + under[at] * (1 - alpha))
  const [red = 0, green = 0, blue = 0] = mixed
  return [red, green, blue, 1]
}

function luminanceOf([red, green, blue]: Channels): number {
  const [r = 0, g = 0, b = 0] = [red, green, blue].map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
