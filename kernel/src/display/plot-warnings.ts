import { addNote } from './figure.ts'

/** Plot's warning of lines that are divided by their colour, as a note. Its own text is longer than a figure is wide. Source: Plot 0.6.17, style.js, groupZ. */
const divided =
  'most values of a colour have one point only, which makes no line; set z: null for one line'

/**
 * Draw, and put what Plot warns of into the figure. Plot writes it to the console, where it would stay beside a figure that is drawn anew, and adds a sign that it is there.
 */
export function withWarnings<F extends Element>(draw: () => F): F {
  const warn = console.warn
  const warnings: string[] = []
  console.warn = (...words: unknown[]) => {
    warnings.push(words.map(String).join(' '))
  }
  let figure: F
  try {
    figure = draw()
  } finally {
    console.warn = warn
  }
  for (const text of figure.querySelectorAll('text'))
    if (text.firstChild?.textContent === '\u26a0\ufe0f') text.remove()
  for (const warning of new Set(warnings))
    addNote(
      figure,
      warning.includes('implicit z channel') ? divided : warning.replace(/^Warning: /u, ''),
    )
  return figure
}
