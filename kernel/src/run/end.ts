import { anySignal } from '../wait/signal.ts'
import type { Session } from '../session.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { readRows } from './row-stream.ts'

/** The part of a run on one sliver. */
export interface RunPart {
  readonly sliver: Sliver
  /** When the part was started, by the sliver's clock, in seconds since the epoch. */
  readonly startedS: number
  /** When the sliver was started, as the server said when the run began; null when it did not say. */
  readonly sliverStartedOn: string | null
  /** The latest end of an earlier run on the sliver that was known when the part was started; see {@link latestEnd}. */
  readonly follows?: Date | null
}

/** How the part of a run on one sliver ended. */
export interface PartEnd {
  /** The exit code of the script. 128 + n: signal n ended it. */
  readonly exitCode: number
  /** When the part ended, by the sliver's clock. */
  readonly time: Date
}

/** The latest end on each sliver that a session knows. */
const latestEnds = new WeakMap<Session, Map<string, Date>>()

/**
 * Return the latest known end of a run on a sliver, by the sliver's clock; null when none is known, or when it is not before the second in which the next run
 * was started, because the clock was set back. `startedS` alone tells the second, in which another run may have ended.
 */
export function latestEnd(session: Session, sliverId: string, startedS: number): Date | null {
  const end = latestEnds.get(session)?.get(sliverId) ?? null
  return end !== null && end.getTime() < (startedS + 1) * 1000 ? end : null
}

function noteEnd(session: Session, sliverId: string, time: Date): void {
  const ends = latestEnds.get(session) ?? new Map<string, Date>()
  latestEnds.set(session, ends)
  if (time > (ends.get(sliverId) ?? 0)) ends.set(sliverId, time)
}

/** Receives the ends of a run's parts: each sliver writes a `run_end` after its last sample. */
export class RunEnd {
  readonly #session: Session
  readonly #of: {
    readonly scope: string
    readonly run: string
    readonly parts: readonly RunPart[]
  }
  readonly #ends = new Map<string, PartEnd>()
  #watching: Promise<void> | null = null

  constructor(
    session: Session,
    of: { readonly scope: string; readonly run: string; readonly parts: readonly RunPart[] },
  ) {
    this.#session = session
    this.#of = of
  }

  /** Resolves when all parts have ended. Several callers may wait. They share one stream, which is read until the lab is closed, even if they give up. */
  wait(): Promise<void> {
    if (this.#watching !== null) return this.#watching
    const watching = this.#watch()
    this.#watching = watching
    // The next call of `wait` opens a new stream.
    watching.catch(() => {
      this.#watching = null
    })
    return watching
  }

  /** Return the slivers whose end is not known. */
  waiting(): readonly Sliver[] {
    return this.#of.parts.map(({ sliver }) => sliver).filter(({ id }) => !this.#ends.has(id))
  }

  /** Return how a sliver's part ended; null while that is not known. */
  of(sliverId: string): PartEnd | null {
    return this.#ends.get(sliverId) ?? null
  }

  async #watch(): Promise<void> {
    const { scope, run } = this.#of
    if (this.waiting().length === 0) return
    const stop = new AbortController()
    const signal = anySignal(this.#session.signal, stop.signal)
    try {
      for await (const { rows } of readRows(this.#session, {
        scope,
        run,
        name: 'run_end',
        signal,
      })) {
        for (const { sliver, exit_code: exitCode, time } of rows)
          if (typeof sliver === 'string' && typeof exitCode === 'number' && time instanceof Date) {
            this.#ends.set(sliver, { exitCode, time })
            noteEnd(this.#session, sliver, time)
          }
        if (this.waiting().length === 0) return
      }
    } finally {
      stop.abort()
    }
  }
}
