import type { MemberError } from '@community-lab/contract'

/** The longest sentence in a report, in characters. */
const maxCharacters = 1_000

/**
 * Make the text of another program fit for a report: short, and without NUL and lone surrogates, which the server refuses because no database stores them. A
 * refused report would hide the whole state of the node.
 */
export function boundSentence(text: string): string {
  const readable = text.slice(0, maxCharacters + 1).replaceAll('\0', '\uFFFD')
  if (text.length <= maxCharacters) return readable.toWellFormed()
  // If the cut splits a surrogate pair, the first half is left out.
  const cut = readable.slice(0, maxCharacters - 1).replace(/[\uD800-\uDBFF]$/u, '')
  return `${cut.toWellFormed()}…`
}

/** Limit the length of a list of errors, and of each error. The last one contains the number of those that are left out. */
export function boundErrors(errors: readonly MemberError[], most: number): MemberError[] {
  const bounded = errors.map((error) => ({
    ...error,
    member: boundSentence(error.member),
    message: boundSentence(error.message),
  }))
  if (bounded.length <= most) return bounded
  const left = bounded.length - (most - 1)
  const message = `${left} more errors are in the log of the node's agent`
  return [...bounded.slice(0, most - 1), { member: '', message }]
}
