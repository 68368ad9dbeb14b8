import { anySignal } from '../wait/signal.ts'
import type { Session } from '../session.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { readRows } from './row-stream.ts'

/** A sliver's part of a run. */
export interface RunPart {
  readonly sliver: Sliver
  /** When it was started, by the sliver's clock, in seconds since the epoch. */
  readonly startedS: number
  /** When its sliver was started, as the server told when the run began; null: it told nothing. */
  readonly sliverStartedOn: string | null
}

/** How a sliver's part of a run ended. */
export interface PartEnd {
  /** The script's exit code; 128 and more: the number of the signal that ended it, and 128. */
  readonly exitCode: number
  /** By the sliver's clock. */
  readonly time: Date
}

/** Hears of the end of a run: the `run_end` that each sliver writes after its last sample. */
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

  /** Settles when all have ended. Several may wait; one stream is read, until the lab is closed, whoever gives up waiting. */
  wait(): Promise<void> {
    if (this.#watching !== null) return this.#watching
    const watching = this.#watch()
    this.#watching = watching
    // The next call of `wait` watches again.
    watching.catch(() => {
      this.#watching = null
    })
    return watching
  }

  /** The slivers that are not known to have ended. */
  waiting(): readonly Sliver[] {
    return this.#of.parts.map(({ sliver }) => sliver).filter(({ id }) => !this.#ends.has(id))
  }

  /** How a sliver's part ended; null while that is not known. */
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
          if (typeof sliver === 'string' && typeof exitCode === 'number' && time instanceof Date)
            this.#ends.set(sliver, { exitCode, time })
        if (this.waiting().length === 0) return
      }
    } finally {
      stop.abort()
    }
  }
}
