import type { FieldKind } from './field-number.ts'
import { droppedMeasurement, rejectedMeasurement } from './sample-line.ts'

/** The fields of a measurement whose columns are known before its first sample. */
export type DeclaredFields = Readonly<Record<string, FieldKind>>

const traffic = (direction: 'receive' | 'transmit'): DeclaredFields => ({
  [`${direction}_bytes_total`]: 'number',
  [`${direction}_packets_total`]: 'number',
  [`${direction}_errors_total`]: 'number',
  [`${direction}_drops_total`]: 'number',
})

/**
 * The measurement of the nodes' clocks. The time of a node's samples is that of its steady clock: the wall clock when the node started, plus what has passed by its
 * monotonic clock since. `offset_s` is what to add to it to get the server's time at the `time` of the row, within `error_s`; `drift_ratio` ± `drift_error_ratio` is how much the
 * offset changes per second, before and after the row. They are null while the offset is not known. `rtt_s` is the shortest round trip behind it, `source` is
 * who has told the time: `server`. `wall_s` is how far the node's wall clock is ahead of its steady clock.
 *
 * A row with `step_s` says that the wall clock was set, by so many seconds; `unsure_s` before that was found, it had not been yet. The time of samples
 * has moved by `moved_s` with it. Rows of one `epoch` are of one boot without a step, and only these may be used together.
 * Where chronyd runs on the node, `utc_offset_s` is what to add to the wall clock to get UTC, within `utc_error_s`, by what chronyd says of its servers. It is told for comparison, and corrects nothing:
 * the server's clock may be wrong itself.
 * `boot_id` is Linux's id of the boot, and `monotonic_s` the node's monotonic clock at the `time` of the row.
 */
export const clockMeasurement = 'clock'

/** What agents measure of their nodes and slivers, by measurement. Another field, of a newer agent, gets its column from its values. */
export const nodeMeasurements: Readonly<Record<string, DeclaredFields>> = {
  node_health: {
    cpu_user_seconds_total: 'number',
    cpu_nice_seconds_total: 'number',
    cpu_system_seconds_total: 'number',
    cpu_idle_seconds_total: 'number',
    cpu_iowait_seconds_total: 'number',
    cpu_irq_seconds_total: 'number',
    cpu_softirq_seconds_total: 'number',
    cpu_steal_seconds_total: 'number',
    cpu_utilization_ratio: 'number',
    cpus: 'number',
    memory_total_bytes: 'number',
    memory_available_bytes: 'number',
    disk_total_bytes: 'number',
    disk_free_bytes: 'number',
    load1: 'number',
    load5: 'number',
    load15: 'number',
    uptime_seconds: 'number',
  },
  node_network: { interface: 'text', ...traffic('receive'), ...traffic('transmit') },
  node_links: {
    interface: 'text',
    local_address: 'text',
    neighbour_address: 'text',
    rxcost: 'number',
    txcost: 'number',
    cost: 'number',
    usable: 'boolean',
    reach_ratio: 'number',
    reach_bits: 'number',
    rtt_s: 'number',
  },
  node_routes: {
    event: 'text',
    destination: 'text',
    source_prefix: 'text',
    announced: 'boolean',
    metric: 'number',
    refmetric: 'number',
    next_hop: 'text',
    interface: 'text',
    router_id: 'text',
  },
  /** How good the node's clock was; see {@link clockMeasurement}. */
  clock: {
    offset_s: 'number',
    error_s: 'number',
    drift_ratio: 'number',
    drift_error_ratio: 'number',
    rtt_s: 'number',
    source: 'text',
    wall_s: 'number',
    utc_offset_s: 'number',
    utc_error_s: 'number',
    step_s: 'number',
    unsure_s: 'number',
    moved_s: 'number',
    epoch: 'number',
    boot_id: 'text',
    monotonic_s: 'number',
  },
  sliver_health: {
    sliver_id: 'text',
    cpu_seconds_total: 'number',
    memory_bytes: 'number',
    processes: 'number',
  },
}

/** What agents and the server report of rejected or lost samples, in every scope. */
export const lossMeasurements: Readonly<Record<string, DeclaredFields>> = {
  [rejectedMeasurement]: { line: 'text', reason: 'text', lines: 'number' },
  [droppedMeasurement]: { lines: 'number', reason: 'text' },
}
