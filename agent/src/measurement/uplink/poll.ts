import { streamSilenceMs, type Look, type Seen } from '@community-lab/contract'

/**
 * Poll over the node's stream: ask the server whether the target that the node has is current, and whether the server has the node's last report. Null without an
 * answer, for example when the connection ends. Only one poll at a time. Source: the frames `look` and `seen` of the protocol (`contract/src/stream.ts`).
 */
export type Poll = (has: Omit<Look, 'type'>) => Promise<Omit<Seen, 'type'> | null>

/** The polls over one connection. */
export interface Polls {
  readonly now: Poll
  /** Pass the answer to the poll that waits; null: there will be none. */
  settle(seen: Seen | null): void
}

/**
 * Poll over one connection. A poll without an answer ends after the time after which a silent connection ends. Until the server has answered it, further polls
 * return null at once: the server refuses a second `look`, and answers in order.
 */
export function createPolls(send: (look: Look) => void): Polls {
  let settle = (_: Seen | null): void => undefined
  let isAnswered = true
  return {
    settle(seen) {
      if (seen !== null) isAnswered = true
      settle(seen)
    },
    now(has) {
      if (!isAnswered) return Promise.resolve(null)
      isAnswered = false
      return new Promise((resolve) => {
        const late = setTimeout(() => settle(null), streamSilenceMs)
        settle = (seen) => {
          clearTimeout(late)
          settle = () => undefined
          resolve(seen)
        }
        send({ type: 'look', ...has })
      })
    },
  }
}
