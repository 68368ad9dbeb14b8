import { streamSilenceMs, type Look, type Seen } from '@community-lab/contract'

/** Ask the server whether what the node has is still so. Null when there is no answer, as when the connection ends. One look at a time. */
export type LookNow = (has: Omit<Look, 'type'>) => Promise<Omit<Seen, 'type'> | null>

/** The looks over one connection. */
export interface Looks {
  readonly now: LookNow
  /** The answer has come; null: none will come. */
  settle(seen: Seen | null): void
}

/** Begin with no look under way. A server that is as long silent about one as a connection may be is not waited for. */
export function createLooks(send: (look: Look) => void): Looks {
  let settle = (_: Seen | null): void => undefined
  return {
    settle: (seen) => settle(seen),
    now(has) {
      settle(null)
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
