export {
  bool,
  bytes,
  count,
  integer,
  LabError,
  number,
  optional,
  point,
  ratio,
  seconds,
  text,
} from '@community-lab/contract'
export type {
  Point,
  PointField,
  PointFields,
  PointKind,
  PointRow,
  RowOf,
  ValueOf,
} from '@community-lab/contract'
export { connect } from './connect.ts'
export type { ConnectOptions, Credentials, CredentialsOptions } from './credentials/credentials.ts'
export type { Bundle } from './display/bundle.ts'
export { Plot } from './display/plot.ts'
export { show, type Markup } from './display/show.ts'
export type { Shown } from './display/table.ts'
export type { Lab } from './lab.ts'
export type { CaptureOptions, CaptureTables } from './measure/capture.ts'
export type { DnsOptions, DnsTables } from './measure/dns.ts'
export type { HttpOptions, HttpTables } from './measure/http.ts'
export type { MeasureOptions } from './measure/measurement.ts'
export type { MeasurementName, Measurements } from './measure/measurements.ts'
export type { OneWayOptions, OneWayRow, OneWayTables } from './measure/one-way.ts'
export type { PathOptions, PathTables } from './measure/path.ts'
export type { RttOptions, RttRow, RttTables } from './measure/rtt.ts'
export type { ThroughputOptions, ThroughputTables } from './measure/throughput.ts'
export { cpuUse, meanCpuUse } from './operator/cpu-use.ts'
export type { CpuUse, CpuUseOptions } from './operator/cpu-use.ts'
export { countFlaps, linkFlaps } from './operator/flaps.ts'
export type { FlapOptions, LinkFlaps, LinkRow } from './operator/flaps.ts'
export { stateIntervals, timesIn } from './operator/intervals.ts'
export type { StateInterval, StateIntervalOptions, TimesIn } from './operator/intervals.ts'
export { modifiedZScores, outliers } from './operator/outliers.ts'
export type { OutlierOptions } from './operator/outliers.ts'
export type { WrittenTable } from './run/database.ts'
export { openDataset } from './run/dataset.ts'
export type { Dataset } from './run/dataset.ts'
export type { RunContext } from './run/context.ts'
export type { HealthOptions, HealthSamples } from './run/health.ts'
export { oneWayDelay } from './run/one-way-delay.ts'
export type { ClockStamp, OneWayDelay } from './run/one-way-delay.ts'
export type { Hop, Route } from './run/route.ts'
export type { Rejection } from './run/losses.ts'
export type { Outcome, Outcomes } from './run/outcome.ts'
export type { Draw, LiveOptions } from './run/live.ts'
export type { RowStream } from './run/row-stream.ts'
export type { RemovedRows } from './run/removed-rows.ts'
export type { FileOptions, RowsOf, Run } from './run/run.ts'
export type { RunFile } from './run/run-file.ts'
export type { RunFiles } from './run/run-files.ts'
export type { RunOutput, RunOutputs } from './run/run-output.ts'
export type { NamedRunOptions, RunOptions, RunProgram, RunTerms } from './run/start.ts'
export type { Runs } from './run/runs.ts'
export type { TraceOptions } from './run/traceroute.ts'
export type { Row, SqlValue } from './run/value.ts'
export type { Download, DownloadOptions, Downloads } from './sliver/download.ts'
export type { Group, GroupQuotas, GroupRole, Groups } from './sliver/groups.ts'
export type { NodeFilter, NodeState, SliverResources } from './sliver/node-query.ts'
export type { Node, NodeLends, NodeResource, Nodes } from './sliver/node.ts'
export type {
  Availability,
  JournalEntry,
  JournalOptions,
  NodePast,
  PastOptions,
} from './sliver/past.ts'
export type { Slice, SliceTemplate } from './sliver/slice.ts'
export type { UploadOptions } from './sliver/slivers.ts'
export type { SliverOrNode } from './sliver/slice-handle.ts'
export type { SliceOptions, Slices } from './sliver/slices.ts'
export type { Sliver, SliverState } from './sliver/sliver.ts'
export type { WaitOptions } from './sliver/started.ts'
export type { Files, SliceData } from '@community-lab/contract/files'
export type { ExecOptions } from './ssh/exec.ts'
export type { Argument } from './ssh/quote.ts'
export type { CommandResult, CommandResults } from './ssh/result.ts'
export type { CommandPlace } from './ssh/shell-line.ts'
export type { ShellTag } from './ssh/template.ts'
export type {
  VirtualLink,
  VirtualNode,
  VirtualOptions,
  VirtualStatus,
  VirtualTestbed,
} from './virtual.ts'
