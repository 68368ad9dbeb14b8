import { runOutputMeasurement } from '@community-lab/contract'
import { joinParts } from '@community-lab/contract/files'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { anySignal, timeoutSignal } from '../wait/signal.ts'
import type { SampleDatabase } from './database.ts'
import type { Outcome } from './outcome.ts'
import { readRemovedUntil } from './removed-rows.ts'
import { readRows } from './row-stream.ts'
import type { Row } from './value.ts'

/** The output of a run on one sliver. */
export interface RunOutput {
  /** The id of the sliver, and the name of its node. */
  readonly sliver: string
  readonly node: string
  /** Standard output and standard error as they came. Bytes that are no UTF-8 are replaced. */
  readonly text: string
  /** Whether the run has ended there, and this is all of its output. */
  readonly isWhole: boolean
  /** How many more bytes it has written, which were not kept. Known when it has ended. */
  readonly lostBytes: number
}

/** The output of a run on several slivers. A table in notebooks. */
export type RunOutputs = Shown<RunOutput>

/** The output to read. */
export interface OutputSelection {
  readonly scope: string
  readonly run: string
  /** When it has ended; null: it has not on all slivers. */
  readonly endedOn: string | null
  /** The slivers, as last read. */
  readonly parts: readonly Outcome[]
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
}

/** Read the output of a run on some slivers. Where it has ended, wait until all that was kept is there, or until the time is over. */
export async function readOutputs(
  session: Session,
  database: SampleDatabase,
  { scope, run, endedOn, parts, timeoutMs, signal: caller }: OutputSelection,
): Promise<RunOutputs> {
  const collected = new OutputRows()
  collected.add(await database.rowsAfter(runOutputMeasurement, 0))
  const isWhole = ({ sliver, state, outputBytes }: Outcome): boolean =>
    state === 'ended' && collected.of(sliver).length >= outputBytes
  const timeout = timeoutSignal(timeoutMs ?? Infinity)
  const isMissing = (part: Outcome): boolean => part.state === 'ended' && !isWhole(part)
  const removedMs = parts.some(isMissing)
    ? await readRemovedUntil(session, {
        scope,
        name: runOutputMeasurement,
        endedOn,
        signal: caller,
      })
    : -Infinity
  // What the server has removed does not come.
  const left = parts.filter(
    (part) => isMissing(part) && (part.endedAt?.getTime() ?? Infinity) > removedMs,
  )
  const wanted = new Map(left.map(({ sliver, outputBytes }) => [sliver, outputBytes]))
  const signal = anySignal(caller, timeout ?? undefined)
  try {
    if (left.length > 0) await waitForOutput(session, collected, { scope, run, wanted, signal })
  } catch (error) {
    if (caller.aborted || timeout?.aborted !== true) throw error
  }
  const outputs = parts.map((part) => ({
    ...{ sliver: part.sliver, node: part.node, lostBytes: part.lostBytes },
    text: collected.of(part.sliver).toString('utf8'),
    isWhole: isWhole(part),
  }))
  return asTable(outputs, () => outputColumns)
}

const outputColumns: readonly Column<RunOutput>[] = (
  ['node', 'text', 'isWhole', 'lostBytes'] as const
).map((name) => ({ name, value: (output) => output[name] }))

interface WantedOutput {
  readonly scope: string
  readonly run: string
  /** How many bytes each sliver's has. */
  readonly wanted: ReadonlyMap<string, number>
  readonly signal: AbortSignal
}

/** Collects the output of a run as its rows land. */
class OutputRows {
  readonly #rows = new Map<string, Row[]>()

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      const sliver = String(row['sliver'])
      const own = this.#rows.get(sliver)
      if (own === undefined) this.#rows.set(sliver, [row])
      else own.push(row)
    }
  }

  /** Return the output of a sliver up to the first gap. */
  of(sliver: string): Buffer {
    return joinParts(this.#rows.get(sliver) ?? [])
  }
}

/** Wait until the wanted output has landed, and collect what lands. Rejects with the signal's reason. */
async function waitForOutput(
  session: Session,
  collected: OutputRows,
  { wanted, ...selection }: WantedOutput,
): Promise<void> {
  const left = new Map(wanted)
  const stop = new AbortController()
  const signal = anySignal(selection.signal, stop.signal)
  const rowsOf = { ...selection, name: runOutputMeasurement, signal }
  try {
    for await (const { rows } of readRows(session, rowsOf)) {
      collected.add(rows)
      for (const sliver of new Set(rows.map((row) => String(row['sliver'])))) {
        const bytes = left.get(sliver)
        if (bytes !== undefined && collected.of(sliver).length >= bytes) left.delete(sliver)
      }
      if (left.size === 0) return
    }
  } finally {
    stop.abort()
  }
}
