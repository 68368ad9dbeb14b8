/**
 * Tell whether one of several that share a buffer may put so many more bytes into it: each may hold at most twice what is free. One alone fills two thirds
 * of it, each of `n` that fill it holds two parts of `2n + 1`, and one part stays free for who comes next.
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
