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
}

/** How the part of a run on one sliver ended. */
export interface PartEnd {
  /** The exit code of the script. 128 + n: signal n ended it. */
  readonly exitCode: number
  /** When the part ended, by the sliver's clock. */
  readonly time: Date
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
          if (typeof sliver === 'string' && typeof exitCode === 'number' && time instanceof Date)
            this.#ends.set(sliver, { exitCode, time })
        if (this.waiting().length === 0) return
      }
    } finally {
      stop.abort()
    }
  }
}
