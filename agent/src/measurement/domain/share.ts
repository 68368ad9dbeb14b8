/**
 * Tell whether a source that shares a buffer with others may put more bytes into it. Each may hold at most twice what is free. So one alone fills two thirds of the buffer; each of
 * `n` that fill it holds two of `2n + 1` parts, and one part is free for the next one.
 *
 * Source: A. Choudhury, E. Hahne, Dynamic queue length thresholds for shared-memory packet switches, IEEE/ACM Transactions on Networking 6(2), 1998; alpha 2.
 */
export function mayHold(use: {
  readonly heldBytes: number
  readonly moreBytes: number
  readonly freeBytes: number
}): boolean {
  const { heldBytes, moreBytes, freeBytes } = use
  return heldBytes + moreBytes <= 2 * (freeBytes - moreBytes)
}
