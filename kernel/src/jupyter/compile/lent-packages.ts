/** What notebooks import from the kernel when their own folder lacks it. Other packages of the kernel can be imported too, but are not proposed. */
const lent = ['@community-lab/kernel', '@observablehq/plot', 'community-lab:jupyter', 'tslab']

/** Parts of module names that may follow an unfinished one. */
export interface ProposedParts {
  /** The part that is written so far. */
  readonly written: string
  readonly parts: readonly string[]
}

/** Propose the next part of the name of a lent package at the end of a text; null when the text does not end inside the module name of an import. */
export function proposeLent(text: string): ProposedParts | null {
  const name = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["']([^"'\n]*)$/u.exec(text)?.[1]
  if (name === undefined) return null
  const head = name.slice(0, name.lastIndexOf('/') + 1)
  const written = name.slice(head.length)
  const parts = lent
    .filter((each) => each.startsWith(name))
    .map((each) => each.slice(head.length).split('/')[0] ?? '')
  return { written, parts }
}
