import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Tables } from '../../postgres/tables.ts'
import { doEach } from '../each-step.ts'

/** How long states of nodes and slivers are kept, and the times at which a server ran, in days. */
const historyKeptDays = 400
/** How long entries of the journal are kept after their end, in days. */
const journalKeptDays = 730
/**
 * The most intervals of one node or sliver, the most entries of the journal for one node, and the most times at which a server ran. So no node fills the disk, and
 * neither does a server that is started again and again, and reading a past is bounded.
 */
const keptPerObject = 10_000

/** Remove old intervals and entries of the journal. What fails is passed to `onError`, and the rest is removed all the same. */
export async function pruneHistory(
  db: Kysely<Tables>,
  onError: (error: unknown) => void,
): Promise<void> {
  const kinds = [
    { table: sql`node_states`, object: sql`node_id`, keptDays: historyKeptDays },
    { table: sql`sliver_states`, object: sql`slice_id, node_id`, keptDays: historyKeptDays },
    { table: sql`journal`, object: sql`node_id`, keptDays: journalKeptDays },
  ]
  await doEach([() => pruneRuns(db), ...kinds.map((kind) => () => prune(db, kind))], onError)
}

async function pruneRuns(db: Kysely<Tables>): Promise<void> {
  await sql`delete from server_runs where up_until < now() - make_interval(days => ${historyKeptDays})
    or id <= (select id from server_runs order by id desc offset ${keptPerObject} limit 1)`.execute(
    db,
  )
}

interface Prunable {
  readonly table: RawBuilder<unknown>
  /** The columns that name the object. */
  readonly object: RawBuilder<unknown>
  readonly keptDays: number
}

async function prune(db: Kysely<Tables>, { table, object, keptDays }: Prunable): Promise<void> {
  await sql`delete from ${table} where ended_on < now() - make_interval(days => ${keptDays})`.execute(
    db,
  )
  await sql`
    with many as (select ${object} from ${table} group by ${object} having count(*) > ${keptPerObject}),
      counted as (
        select id, row_number() over (partition by ${object} order by id desc) as nr
        from ${table} join many using (${object}))
    delete from ${table} using counted
    where ${table}.id = counted.id and nr > ${keptPerObject} and ended_on is not null`.execute(db)
}
