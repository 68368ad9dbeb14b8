import { LabError } from '@community-lab/contract'
import {
  abortSignal,
  aFunction,
  checkArgument,
  checkOptions,
  durationMs,
  wholeNumber,
} from '../argument.ts'
import type { Bundle } from '../display/bundle.ts'
import { currentDisplay } from '../display/current.ts'
import { bundleOf } from '../display/show.ts'
import { asTable, rowColumns, type Shown } from '../display/table.ts'
import { anySignal } from '../wait/signal.ts'

/** Options of `run.live`. */
export interface LiveOptions {
  /** The most rows that are drawn, the latest ones: 1 to 100 000; default 5000. */
  readonly windowRows?: number
  /** Draw only the rows of the last so many milliseconds, by the times of the rows; default: `windowRows` alone decides. */
  readonly windowMs?: number
  readonly signal?: AbortSignal
}

/** Make what a cell shows of some rows: a figure of `Plot`, a table, or anything else that `show` takes. */
export type Draw<T extends object> = (rows: Shown<T>) => unknown

const defaultWindowRows = 5_000
/** The shortest time between the beginnings of two drawings, in milliseconds. Drawing takes at most half of the time. */
const betweenMs = 500
const liveKinds = {
  windowRows: wholeNumber(1, 100_000, 'rows'),
  windowMs: durationMs,
  signal: abortSignal,
}

/** Check the arguments of `run.live`, and return them. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkLive(
  draw: unknown,
  options: unknown,
): { readonly draw: Draw<object>; readonly options: LiveOptions } {
  checkArgument('what draws the rows', draw, aFunction)
  checkOptions('live', options, liveKinds)
  // Both were checked.
  return { draw: draw as Draw<object>, options: options as LiveOptions }
}

/**
 * Draw the latest rows in one output, which is drawn anew when there are more, at most twice a second, until the rows end. The last drawing stays, also when the rows end by an
 * error or an interrupt. `read` begins to read the rows; its signal ends that.
 *
 * @throws what `draw` throws, and what the rows end with; {@link LabError} LAB_ARGUMENT_INVALID when `draw` returns nothing.
 */
export async function drawLive<T extends object>(
  read: (signal: AbortSignal) => AsyncIterable<T>,
  draw: Draw<T>,
  { windowRows = defaultWindowRows, windowMs, signal }: LiveOptions,
): Promise<void> {
  const latest = new LatestRows<T>(windowRows, windowMs ?? Infinity)
  const display = currentDisplay().newDisplay()
  display.update(notice('no rows yet'))
  const failed = new AbortController()
  const painter = new Painter(
    async () => display.update(toBundle(await draw(latest.rows()))),
    (error) => failed.abort(error),
  )
  try {
    for await (const row of read(anySignal(signal, failed.signal))) {
      latest.add(row)
      painter.ask()
    }
  } finally {
    await painter.end()
    if (latest.isEmpty) display.update(notice('no rows'))
  }
  failed.signal.throwIfAborted()
}

/** The latest rows of a stream. */
class LatestRows<T extends object> {
  readonly #most: number
  readonly #windowMs: number
  #rows: T[] = []

  constructor(most: number, windowMs: number) {
    this.#most = most
    this.#windowMs = windowMs
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0
  }

  add(row: T): void {
    this.#rows.push(row)
    // Cutting is done for many rows at once.
    if (this.#rows.length >= 2 * this.#most) this.#rows = this.#rows.slice(-this.#most)
  }

  rows(): Shown<T> {
    const rows = this.#rows.slice(-this.#most)
    const newest = rows.reduce((time, row) => Math.max(time, timeOf(row)), -Infinity)
    const shown = rows.filter((row) => !(timeOf(row) < newest - this.#windowMs))
    return asTable(shown, () => rowColumns(shown))
  }
}

function timeOf(row: object): number {
  const time: unknown = Reflect.get(row, 'time')
  return time instanceof Date ? time.getTime() : Number.NaN
}

/** Draws when it is asked to, but not too often, and never twice at a time. */
class Painter {
  readonly #paint: () => Promise<void>
  readonly #onFailure: (error: unknown) => void
  #isDue = false
  #timer: NodeJS.Timeout | null = null
  #painting: Promise<void> | null = null
  #nextMs = 0

  constructor(paint: () => Promise<void>, onFailure: (error: unknown) => void) {
    this.#paint = paint
    this.#onFailure = onFailure
  }

  ask(): void {
    this.#isDue = true
    if (this.#timer !== null || this.#painting !== null) return
    const waitMs = Math.max(0, this.#nextMs - performance.now())
    this.#timer = setTimeout(() => this.#start(), waitMs)
  }

  /** Draw for the last time what was not drawn yet. */
  async end(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#painting
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#isDue) await this.#run()
  }

  #start(): void {
    this.#timer = null
    this.#painting = this.#run().finally(() => {
      this.#painting = null
      if (this.#isDue) this.ask()
    })
  }

  async #run(): Promise<void> {
    this.#isDue = false
    const startMs = performance.now()
    try {
      await this.#paint()
    } catch (error) {
      this.#onFailure(error)
    }
    const endMs = performance.now()
    this.#nextMs = Math.max(startMs + betweenMs, endMs + (endMs - startMs))
  }
}

function toBundle(drawn: unknown): Bundle {
  if (drawn !== undefined && drawn !== null) return bundleOf(drawn)
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'what draws the rows',
    found: 'a function that has returned nothing',
    expected: 'one that returns what is to be shown: (rows) => Plot.plot(…), without braces',
  })
}

/** A text in place of a drawing, in the colour of the notebook. */
function notice(text: string): Bundle {
  return { 'text/plain': text, 'text/html': `<p style="opacity:0.7">${text}</p>` }
}
