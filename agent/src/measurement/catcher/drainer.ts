import type { StreamReader } from './stream-reader.ts'

/** Lets several readers read in turns of limited length, one at a time. */
export interface Drainer {
  /** Add a reader. `onQuiet` is called after a turn that has found nothing to read. Until then the reader has a turn in each round without a request. */
  add(reader: Pick<StreamReader, 'turn'>, onQuiet?: () => void): Drained
}

/** A reader that was added. */
export interface Drained {
  /** Request a turn, because there may be something to read. */
  ask(): void
  /** Start no more turns. Resolves when a running turn has ended. */
  stop(): Promise<void>
}

/** Options of {@link createDrainer}. */
export interface DrainerOptions {
  /** The shortest time between two rounds of turns, in milliseconds, so that lines that arrive at nearly the same time are read together; default 20. */
  readonly gapMs?: number
  /** The longest time between two rounds, when rounds take long; default 100. */
  readonly longestGapMs?: number
  readonly onProblem: (error: unknown) => void
}

const defaultGapMs = 20
const defaultLongestGapMs = 100
/** How many times as long as its rounds a drainer rests, between the two gaps. Its reader then reads more lines in each turn, which costs less for each of them. */
const restFactor = 20
const secondMs = 1_000

/**
 * Make a drainer. A reader that has more to read than fits into a turn goes to the end of the queue. Between turns the process does its other work. So a flood delays other readers,
 * and everything else, by a few turns at most.
 */
export function createDrainer(options: DrainerOptions): Drainer {
  const { gapMs = defaultGapMs, longestGapMs = defaultLongestGapMs, onProblem } = options
  const queue = new Set<Member>()
  /** Those that have a turn in the next round. */
  const next = new Set<Member>()
  let isRunning = false
  /** The time from which on the next round may begin. */
  let mayBeginMs = Number.NEGATIVE_INFINITY

  interface Member {
    readonly reader: Pick<StreamReader, 'turn'>
    readonly onQuiet: () => void
    later: NodeJS.Timeout | null
    turn: Promise<void> | null
    /** Whether its last turn has failed. Only the first of consecutive failures is reported. */
    hasFailed: boolean
    isStopped: boolean
  }

  async function takeTurn(member: Member): Promise<void> {
    try {
      const came = await member.reader.turn()
      member.hasFailed = false
      if (member.isStopped) return
      if (came === 'more') queue.add(member)
      else if (came === 'some') next.add(member)
      else {
        if (came === 'done for a second') member.later ??= setTimeout(askLater, secondMs, member)
        member.onQuiet()
      }
    } catch (error) {
      // There may be too many open files, or the disk has failed. It is tried again, because there may be no other event.
      if (!member.isStopped) member.later ??= setTimeout(askLater, secondMs, member)
      if (!member.hasFailed) onProblem(error)
      member.hasFailed = true
    }
  }

  function askLater(member: Member): void {
    member.later = null
    ask(member)
  }

  async function run(): Promise<void> {
    const beganMs = performance.now()
    for (const member of queue) {
      queue.delete(member)
      member.turn = takeTurn(member)
      await member.turn
      member.turn = null
      await new Promise((resolve) => setImmediate(resolve))
    }
    isRunning = false
    const endedMs = performance.now()
    mayBeginMs = endedMs + Math.min(longestGapMs, Math.max(gapMs, restFactor * (endedMs - beganMs)))
    if (next.size === 0) return
    for (const member of next) queue.add(member)
    next.clear()
    begin()
  }

  function ask(member: Member): void {
    if (member.isStopped) return
    queue.add(member)
    begin()
  }

  function begin(): void {
    if (isRunning) return
    isRunning = true
    setTimeout(() => void run(), Math.max(0, mayBeginMs - performance.now()))
  }

  return {
    add(reader, onQuiet = () => undefined) {
      const member: Member = {
        ...{ reader, onQuiet, later: null, turn: null, hasFailed: false, isStopped: false },
      }
      return {
        ask: () => ask(member),
        async stop() {
          member.isStopped = true
          queue.delete(member)
          next.delete(member)
          if (member.later !== null) clearTimeout(member.later)
          await member.turn
        },
      }
    },
  }
}
