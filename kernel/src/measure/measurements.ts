import { captureMeasurement, type CaptureOptions, type CaptureTables } from './capture.ts'
import { dnsMeasurement, type DnsOptions, type DnsTables } from './dns.ts'
import { httpMeasurement, type HttpOptions, type HttpTables } from './http.ts'
import type { StandardMeasurement } from './measurement.ts'
import { oneWayMeasurement, type OneWayOptions, type OneWayTables } from './one-way.ts'
import { pathMeasurement, type PathOptions, type PathTables } from './path.ts'
import { rttMeasurement, type RttOptions, type RttTables } from './rtt.ts'
import {
  throughputMeasurement,
  type ThroughputOptions,
  type ThroughputTables,
} from './throughput.ts'

/** The standard measurements: the options of each, and the types of the rows of its tables. */
export interface Measurements {
  readonly rtt: { readonly options: RttOptions; readonly tables: RttTables }
  readonly 'one-way': { readonly options: OneWayOptions; readonly tables: OneWayTables }
  readonly capture: { readonly options: CaptureOptions; readonly tables: CaptureTables }
  readonly path: { readonly options: PathOptions; readonly tables: PathTables }
  readonly http: { readonly options: HttpOptions; readonly tables: HttpTables }
  readonly dns: { readonly options: DnsOptions; readonly tables: DnsTables }
  readonly throughput: { readonly options: ThroughputOptions; readonly tables: ThroughputTables }
}

export type MeasurementName = keyof Measurements

/** What each measurement does. A further one is a module, a line here, and a line in {@link Measurements}. */
export const measurements: {
  readonly [Name in MeasurementName]: StandardMeasurement<Measurements[Name]['options']>
} = {
  rtt: rttMeasurement,
  'one-way': oneWayMeasurement,
  capture: captureMeasurement,
  path: pathMeasurement,
  throughput: throughputMeasurement,
  http: httpMeasurement,
  dns: dnsMeasurement,
}
