import type { MemberError } from '@community-lab/contract'

/** The longest sentence in a report, in characters. */
const maxCharacters = 1_000

/** Shorten a sentence that somebody else's program may have made long. */
export function boundSentence(text: string): string {
  if (text.length <= maxCharacters) return text
  // Half a surrogate pair is no text.
  return `${text.slice(0, maxCharacters - 1).replace(/[\uD800-\uDBFF]$/u, '')}…`
}

/** Keep a list of errors short, and each of them. What is left out is counted in the last one. */
export function boundErrors(errors: readonly MemberError[], most: number): MemberError[] {
  const bounded = errors.map(({ member, message }) => ({
    member: boundSentence(member),
    message: boundSentence(message),
  }))
  if (bounded.length <= most) return bounded
  const left = bounded.length - (most - 1)
  const message = `${left} more errors are in the log of the node's agent`
  return [...bounded.slice(0, most - 1), { member: '', message }]
}
