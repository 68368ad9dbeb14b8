import type pg from 'pg'

/**
 * Add a past as long as the server keeps it: 10,000 states of the first node and of its first sliver in 400 days, 10,000 entries of the journal for each of 20 nodes, as many
 * runs of the server as days, 100,000 entries of the audit trail. It takes a node a year to come by that, so it is written as the triggers would have.
 */
export async function addPast(database: pg.Client): Promise<void> {
  const at = (nr: string) => `now() - (${nr}) * interval '400 days' / 10000`
  const states = `case when nr % 2 = 0 then 'production' else 'offline' end, 'no sign of life',
    ${at('nr + 1')}, ${at('nr')} from generate_series(9998, 1, -1) nr`
  await database.query(
    `insert into node_states (node_id, state, reason, began_on, ended_on) select 1, ${states}`,
  )
  await database.query(
    `insert into sliver_states (slice_id, node_id, state, reason, began_on, ended_on)
     select first.slice_id, 1, past.* from (select min(slice_id) slice_id from slivers where node_id = 1) first,
       (select ${states}) past`,
  )
  await database.query(
    `insert into journal (slice_id, slice_name, group_id, group_name, node_id, node_name, began_on, ended_on, started_on)
     select 1000000 + nr, 'gone-' || nr, 1 + nr % 50, 'group-' || nr % 50, node, 'n' || node,
       ${at('nr + 1')}, ${at('nr')}, null
     from generate_series(9990, 1, -1) nr, generate_series(1, 20) node`,
  )
  await database.query(
    `insert into server_runs (began_on, up_until)
     select now() - nr * interval '1 day', now() - nr * interval '1 day' + interval '23 hours'
     from generate_series(400, 1, -1) nr`,
  )
  await database.query(
    `insert into audit (user_id, user_name, role, address, "right", kind, action, object_id)
     select 1, 'operator', 'operator', '2001:db8::1', 'change a node', 'node', 'updated', (1 + nr % 1000)::text
     from generate_series(1, 100000) nr`,
  )
  await database.query('vacuum analyze')
}
