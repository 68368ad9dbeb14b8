import {
  runEndMeasurement,
  runFileMeasurement,
  runOutputMeasurement,
} from '@community-lab/contract/samples'
import { nodeScope } from './name.ts'
import { sizeOf, type PlacedSample } from './sample.ts'

/**
 * The most that one slice may store per hour, by the times of its samples. So samples that a node sends after an outage count for the hour when they were
 * measured.
 */
export interface SliceQuota {
  readonly rowsPerHour: number
  readonly bytesPerHour: number
}

/** Counts what slices store. */
export interface QuotaBook {
  /** Count a sample. Returns null when the sample is within the quota of its slice, and otherwise why it is not. */
  admit(sample: PlacedSample): string | null
  /** Count samples of one measurement. Returns false, and counts none, when they are not all of one hour and surely within the quota. */
  admitAll(samples: SameSamples): boolean
  /** Settle the samples that were admitted since the last call. They are not counted any more when they were not stored. */
  settle(isStored: boolean): void
}

/** Several samples of a measurement. */
export interface SameSamples {
  readonly scope: string
  /** The times of the first and of the last, in microseconds since the epoch. */
  readonly firstUs: number
  readonly lastUs: number
  readonly rows: number
  /** The characters of the fields of all. */
  readonly characters: number
}

interface Hour {
  rows: number
  bytes: number
}

/** The approximate number of bytes of a row besides its fields. */
const rowBytes = 48
const hourUs = 3_600_000_000
/**
 * The part of the quota that samples of a measurement may fill; of others: 1. Who waits for a run waits for its output and for the row of its end, and a program can write as much
 * output as it likes, so each has a tenth beyond.
 */
const shares: ReadonlyMap<string, number> = new Map([
  [runOutputMeasurement, 1.1],
  [runFileMeasurement, 1.1],
  [runEndMeasurement, 1.2],
])
/** The number of hours that are remembered for a slice: more than five weeks. */
const hoursKept = 1_000

/** Start counting. Nodes' own samples are not counted, because nodes have a limit of their own when they connect. */
export function createQuotaBook({ rowsPerHour, bytesPerHour }: SliceQuota): QuotaBook {
  const scopes = new Map<string, Map<number, Hour>>()
  let unsettled: { readonly hour: Hour; readonly rows: number; readonly bytes: number }[] = []

  function hourOf(scope: string, timeUs: number): Hour {
    const hours = scopes.get(scope) ?? new Map<number, Hour>()
    scopes.set(scope, hours)
    const at = Math.floor(timeUs / hourUs)
    const known = hours.get(at)
    if (known !== undefined) return known
    const [oldest] = hours.keys()
    if (hours.size >= hoursKept && oldest !== undefined) hours.delete(oldest)
    const hour = { rows: 0, bytes: 0 }
    hours.set(at, hour)
    return hour
  }

  return {
    admit({ scope, name, timeUs, fields }) {
      if (scope === nodeScope) return null
      const hour = hourOf(scope, timeUs)
      const share = shares.get(name) ?? 1
      if (hour.rows >= share * rowsPerHour)
        return `${scope} has ${rowsPerHour} samples of this hour already, which is the most that is kept`
      if (hour.bytes >= share * bytesPerHour)
        return `${scope} has ${bytesPerHour} bytes of this hour already, which is the most that is kept`
      const bytes = rowBytes + sizeOf(fields)
      hour.rows++
      hour.bytes += bytes
      unsettled.push({ hour, rows: 1, bytes })
      return null
    },
    admitAll({ scope, firstUs, lastUs, rows, characters }) {
      if (scope === nodeScope) return true
      if (Math.floor(firstUs / hourUs) !== Math.floor(lastUs / hourUs)) return false
      const hour = hourOf(scope, firstUs)
      const bytes = rows * rowBytes + characters
      if (hour.rows + rows > rowsPerHour || hour.bytes + bytes > bytesPerHour) return false
      hour.rows += rows
      hour.bytes += bytes
      unsettled.push({ hour, rows, bytes })
      return true
    },
    settle(isStored) {
      if (!isStored)
        for (const { hour, rows, bytes } of unsettled) {
          hour.rows -= rows
          hour.bytes -= bytes
        }
      unsettled = []
    },
  }
}
