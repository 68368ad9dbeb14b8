import type { Session } from '../session.ts'
import type { Sliver } from '../sliver/sliver.ts'
import { readRows } from './row-stream.ts'

/** How a sliver's part of a run ended. */
export interface Outcome {
  readonly sliver: string
  readonly node: string
  /** The script's exit code; 128 and more: the number of the signal that ended it, and 128. */
  readonly exitCode: number
}

/** Hears of the end of a run: the `run_end` that each sliver writes after its last sample. */
export class RunEnd {
  readonly #session: Session
  readonly #of: {
    readonly scope: string
    readonly run: string
    readonly slivers: readonly Sliver[]
  }
  readonly #exitCodes = new Map<string, number>()
  #watching: Promise<void> | null = null

  constructor(
    session: Session,
    of: { readonly scope: string; readonly run: string; readonly slivers: readonly Sliver[] },
  ) {
    this.#session = session
    this.#of = of
  }

  /** Settles when all have ended. Several may wait; one stream is read. */
  wait(): Promise<void> {
    if (this.#watching !== null) return this.#watching
    const watching = this.#watch()
    this.#watching = watching
    // Whoever waits next, in another cell for one, begins anew.
    watching.catch(() => {
      this.#watching = null
    })
    return watching
  }

  /** The slivers that are not known to have ended. */
  waiting(): readonly Sliver[] {
    return this.#of.slivers.filter(({ id }) => !this.#exitCodes.has(id))
  }

  /** How those ended that have. */
  outcomes(): readonly Outcome[] {
    return this.#of.slivers.flatMap(({ id, node }) => {
      const exitCode = this.#exitCodes.get(id)
      return exitCode === undefined ? [] : [{ sliver: id, node, exitCode }]
    })
  }

  async #watch(): Promise<void> {
    const { scope, run } = this.#of
    if (this.waiting().length === 0) return
    const selection = { scope, run, name: 'run_end', signal: this.#session.signal }
    for await (const { rows } of readRows(this.#session, selection)) {
      for (const { sliver, exit_code: exitCode } of rows)
        if (typeof sliver === 'string' && typeof exitCode === 'number')
          this.#exitCodes.set(sliver, exitCode)
      if (this.waiting().length === 0) return
    }
  }
}
