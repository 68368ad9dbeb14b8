import { runOutputMeasurement } from '@community-lab/contract'
import { sleep } from '../wait/signal.ts'
import type { SampleDatabase } from './database.ts'
import type { Row } from './value.ts'

/** The time between two looks for the rest of an output, in milliseconds. */
const lookMs = 200

/** A run on a sliver, as its node has last reported it. */
export interface OutputPart {
  /** The id of the sliver. */
  readonly sliver: string
  readonly state: string
  /** How many bytes of its output are kept, once it has ended. */
  readonly outputBytes: number
}

/** Read the output of a run on a sliver. When it has ended there, wait until all that was kept has landed. */
export async function waitForOutput(
  database: SampleDatabase,
  { sliver, state, outputBytes }: OutputPart,
  signal: AbortSignal,
): Promise<Buffer> {
  for (;;) {
    const rows = await database.rowsAfter(runOutputMeasurement, 0)
    const bytes = joinOutput(rows.filter((row) => row['sliver'] === sliver))
    if (state !== 'ended' || bytes.length >= outputBytes) return bytes
    await sleep(lookMs, signal)
  }
}

/** Join rows of output in the order of their positions, up to the first gap. */
export function joinOutput(rows: readonly Row[]): Buffer {
  const parts = rows
    .map((row) => ({ at: Number(row['at_byte']), bytes: bytesOf(row) }))
    .sort((one, other) => one.at - other.at)
  const joined: Buffer[] = []
  let length = 0
  for (const { at, bytes } of parts) {
    if (at !== length) break
    joined.push(bytes)
    length += bytes.length
  }
  return Buffer.concat(joined)
}

function bytesOf({ text, base64 }: Row): Buffer {
  if (typeof text === 'string') return Buffer.from(text, 'utf8')
  return Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64')
}
