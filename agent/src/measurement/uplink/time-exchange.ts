import type { TimeAnswered, TimeAsked } from '@community-lab/contract'

/** The clock of the node, as its stream uses it. */
export interface StreamClock {
  /** The monotonic clock, in whole microseconds. */
  monotonicUs(): number
  /** Take the answer to a question that was asked at `answer.sent_us`. */
  take(answer: TimeAnswered, receivedUs: number): void
  /** Call the listener when the server's time is needed at once. Returns the unsubscriber. */
  onNeed(listener: () => void): () => void
}

/** The questions for the server's time over one connection. */
export interface TimeExchange {
  /** Begin to ask: several times in a row, then at intervals. */
  begin(): void
  take(answer: TimeAnswered): void
  end(): void
}

/** The interval of questions, in milliseconds. Source: RFC 5905, figure 7: NTP asks every 2^4 s at most often, unless it has just begun. */
const everyMs = 16_000
/** The number of quick questions at the begin of a connection, and after a step. Source: RFC 5905, section 13: eight, which fill the clock filter. */
const burst = 8
const burstEveryMs = 250

/** Ask for the server's time over one connection. Only one question is on its way: the next one follows when it is answered or late. */
export function createTimeExchange(
  clock: StreamClock,
  send: (frame: TimeAsked) => void,
): TimeExchange {
  let timer: NodeJS.Timeout | undefined
  let quickLeft = 0
  let sentUs: number | null = null
  let forget = (): void => undefined

  function ask(): void {
    clearTimeout(timer)
    sentUs = clock.monotonicUs()
    send({ type: 'time', sent_us: sentUs })
    timer = setTimeout(ask, everyMs)
  }

  function askOften(): void {
    quickLeft = burst
    ask()
  }

  return {
    begin() {
      forget()
      forget = clock.onNeed(askOften)
      askOften()
    },
    take(answer) {
      const receivedUs = clock.monotonicUs()
      // An answer that is late may still say something, but its question was given up.
      if (answer.sent_us !== sentUs) return
      sentUs = null
      clock.take(answer, receivedUs)
      if (quickLeft <= 0) return
      quickLeft--
      clearTimeout(timer)
      timer = setTimeout(ask, quickLeft > 0 ? burstEveryMs : everyMs)
    },
    end() {
      forget()
      clearTimeout(timer)
    },
  }
}
