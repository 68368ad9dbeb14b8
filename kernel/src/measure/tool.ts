import { point, text } from '@community-lab/contract'

/** The tools of a measurement, as each sliver has them. */
export const toolPoint = point('tool', {
  tool: text('the name of the program that measures'),
  version: text('its version, as it says itself'),
})
