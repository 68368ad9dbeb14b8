import { randomBytes } from 'node:crypto'
import { abortSignal, checkArgument, checkOptions, oneOf, type Kind } from '../argument.ts'
import { currentDisplay } from '../display/current.ts'
import type { Run } from '../run/run.ts'
import { runName, startRun } from '../run/start.ts'
import { readAddresses } from '../run/traceroute.ts'
import type { Session } from '../session.ts'
import type { SliceHandle } from '../sliver/slice-handle.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { measurements, type MeasurementName, type Measurements } from './measurements.ts'

/** The time after which the nodes end a measurement that should have ended by itself, in milliseconds. */
const overtimeMs = 60_000

/** Check the name and the types of the options of a measurement. Their ranges are checked when it is planned. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkMeasure(name: MeasurementName, options: object): void {
  checkArgument('the measurement', name, oneOf(...Object.keys(measurements)))
  const kinds: Readonly<Record<string, Kind>> = measurements[name].kinds
  checkOptions('measure', options, { ...kinds, name: runName, signal: abortSignal })
}

/** Start a standard measurement. See `Slice.measure`. */
export async function startMeasurement<Name extends MeasurementName>(
  session: Session,
  slice: SliceHandle,
  {
    measurement,
    options,
    signal,
  }: {
    readonly measurement: Name
    readonly options: Measurements[Name]['options'] & MeasureOptions
    readonly signal: AbortSignal
  },
): Promise<Run<Measurements[Name]['tables']>> {
  const standard: StandardMeasurement<Measurements[Name]['options']> = measurements[measurement]
  const nodes = standard.needsNodes === true ? await readAddresses(session, signal) : []
  const { programs, points, expectedMs, note } = standard.plan(slice, options, nodes)
  const { name = createName(measurement) } = options
  if (note !== undefined && note !== null)
    currentDisplay().display({ 'text/plain': `measure ${measurement}: ${note}` })
  const limitMs = expectedMs + overtimeMs
  return startRun(session, slice, { name, programs, limitMs, points, signal })
}

/** Make the name of a run: the measurement, the time (UTC) and six random hexadecimal digits. */
function createName(measurement: string): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/gu, '')
  return `${measurement}-${time}-${randomBytes(3).toString('hex')}`
}
