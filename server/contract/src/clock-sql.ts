/**
 * The columns that the correction of times adds to a table of samples, with DuckDB's types. `time` becomes the server's time.
 *
 * - `time_error_s`: how far `time` may be from the server's time at which the line was written; null when nobody knows.
 * - `time_node`: the time as the node has told it.
 * - `clock_offset_s`: what to add to a time that a program took from its node's wall clock then, to get the server's time; `clock_error_s` is its bound.
 * - `clock_step`: whether somebody set the wall clock of the node about then: after the last look at it, and before the look that found out.
 */
export const clockColumns: Readonly<Record<string, string>> = {
  time_error_s: 'DOUBLE',
  time_node: 'TIMESTAMP WITH TIME ZONE',
  clock_offset_s: 'DOUBLE',
  clock_error_s: 'DOUBLE',
  clock_step: 'BOOLEAN',
}

/** The columns of clocks that are in seconds. */
export const clockSeconds: readonly string[] = ['time_error_s', 'clock_offset_s', 'clock_error_s']

/**
 * How long a line waits until its node takes it, in seconds, while the node is not busy: the catcher looks after a millisecond of sleep, which may take twice as long
 * (`agent/perl/catcher.pl`). Lines of a program that writes faster than its node reads wait longer.
 */
export const lineWaitS = 0.002

const fields = [
  'offset_s',
  'error_s',
  'drift_ratio',
  'drift_error_ratio',
  'wall_s',
  'step_s',
  'unsure_s',
  'moved_s',
  'epoch',
]

/** The table of the rows of `clock` that were fetched, in a schema that notebooks do not see in the names of tables. */
export const clockTable = 'testbed.clock'

/** Make the tables of clocks from rows of the measurement `clock`, or add rows to them. */
export function createClockTables(
  source: string,
  { isWhole }: { readonly isWhole: boolean },
): readonly string[] {
  const select = `select time::timestamptz as time, node_id, landed, boot_id, ${fields.join(', ')} from ${source}`
  const landed = '(select coalesce(max(landed), 0) from testbed.clock)'
  return [
    'create schema if not exists testbed',
    isWhole
      ? 'create or replace table testbed.settled (node_id integer, until timestamptz)'
      : // A clock that was set back far begins with times before those that it had.
        `create or replace table testbed.settled as
         select node_id, least(known.last, news.first) - interval 1 second as until
         from (select node_id, max(time) as last from testbed.clock group by node_id) known
         left join (select node_id, min(time::timestamptz) as first from ${source} where landed > ${landed} group by node_id) news using (node_id)`,
    isWhole
      ? `create or replace table testbed.clock as ${select}`
      : `insert into testbed.clock by name ${select} where landed > ${landed}`,
    `create or replace table testbed.step as
     select node_id, time - to_microseconds((moved_s * 1e6)::bigint) as found,
       time - to_microseconds(((moved_s + unsure_s) * 1e6)::bigint) as good
     from testbed.clock where step_s is not null`,
  ]
}

/**
 * Write the query that says by how much the times of samples are wrong, for the id of each: `offset_s` and `error_s` (null: nobody knows), `wall_s`, and whether somebody set
 * the wall clock about then (`is_step`).
 *
 * Of each row's node, it takes the last row of `clock` before the row, and the first one after it, when that belongs to the same epoch. Each says in which interval the offset was
 * at the time of the row: its own interval, moved by the drift, and wider by the error of the drift. The truth is in both, so it is in what they have in common.
 * @param samples - a query with the columns `id`, `node_id` and `time_node`
 */
export function offsetsOf(samples: string): string {
  return `
with beside as (
  select r.id,
    epoch_us(r.time_node) - epoch_us(p.time) as after_us, epoch_us(n.time) - epoch_us(r.time_node) as before_us,
    p, case when n.epoch = p.epoch and n.boot_id = p.boot_id then n end as n,
    coalesce(s.good < r.time_node, false) as is_step
  from (${samples}) r
  asof left join testbed.clock p on r.node_id = p.node_id and r.time_node >= p.time
  asof left join testbed.clock n on r.node_id = n.node_id and r.time_node < n.time
  asof left join testbed.step s on r.node_id = s.node_id and r.time_node <= s.found
), said as (
  select *,
    p.offset_s + p.drift_ratio * after_us / 1e6 as p_mid, p.error_s + p.drift_error_ratio * after_us / 1e6 as p_half,
    n.offset_s - n.drift_ratio * before_us / 1e6 as n_mid, n.error_s + n.drift_error_ratio * before_us / 1e6 as n_half
  from beside
), common as (
  select *, greatest(p_mid - p_half, n_mid - n_half) as low, least(p_mid + p_half, n_mid + n_half) as high from said
)
select id, is_step, p.wall_s as wall_s,
  (least(low, high) + greatest(low, high)) / 2 as offset_s, abs(high - low) / 2 as error_s
from common`
}

/**
 * Write the expressions for the corrected time of a row and for its error; both are null where nobody knows. Beside the row is `known`, its row of {@link offsetsOf}.
 * @param row - the name of the rows' table, quoted
 */
export function correctedTime(row: string): { readonly time: string; readonly error: string } {
  return {
    time: `${row}.time_node + to_microseconds(round(known.offset_s * 1e6)::bigint)`,
    error: `known.error_s + case when ${row}.sliver is null then 0 else ${lineWaitS} end`,
  }
}

/**
 * Write the statement that corrects the times of a table that has {@link clockColumns}. A row of which nothing is known keeps the node's time, and has no error. A row whose time was
 * corrected before it came here (it has an error, and nothing else of clocks) keeps that until more is known here. Rows that were corrected here, and whose node
 * has told nothing of its clock since, stay as they are.
 * @param name - the name of the table, quoted
 */
export function correctTimes(name: string): string {
  const samples = `
    from ${name} left join testbed.settled using (node_id)
    select ${name}.rowid as id, node_id, time_node
    where clock_step is null or until is null or time_node >= until`
  const { time, error } = correctedTime(name)
  const isKept = `known.offset_s is null and ${name}.clock_step is null and ${name}.time_error_s is not null`
  return `
update ${name} set
  time = case when ${isKept} then ${name}.time else coalesce(${time}, ${name}.time_node) end,
  time_error_s = case when ${isKept} then ${name}.time_error_s else ${error} end,
  clock_offset_s = known.offset_s - known.wall_s,
  clock_error_s = known.error_s,
  clock_step = case when not (${isKept}) then known.is_step end
from (${offsetsOf(samples)}) known where ${name}.rowid = known.id`
}
