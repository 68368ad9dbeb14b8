import type { DuckDBConnection } from '@duckdb/node-api'
import { columnTypes } from '../domain/layout.ts'
import { measurementKey, nodeScope, quoteIdentifier, tableOf } from '../domain/name.ts'
import type { Catalog } from './catalog.ts'
import type { LatestAnswer, LatestRequest } from './protocol.ts'

/** The most rows of one answer. */
const maxRows = 100_000

/**
 * Read the latest committed row of each node in a measurement of the scope `node`, and of each combination of its texts, such as an interface. Rows before `sinceUs` are left out.
 * Returns no rows when there is no such measurement yet.
 */
export async function readLatest(
  connection: DuckDBConnection,
  catalog: Catalog,
  { name, sinceUs }: LatestRequest,
): Promise<LatestAnswer> {
  const committed = catalog.tables.get(measurementKey(nodeScope, name))?.committed ?? null
  if (committed === null) return { columns: [], rows: [] }
  const columns = ['node', 'node_id', ...committed.keys()]
  const texts = [...committed].filter(([, type]) => type === columnTypes.text)
  const series = ['node_id', ...texts.map(([column]) => column)].map(quoteIdentifier)
  const answer = await connection.runAndReadAll(
    `select ${columns.map(quoteIdentifier).join(', ')} from ${tableOf({ scope: nodeScope, name })}
     where time >= make_timestamp(${sinceUs}::bigint)
     qualify row_number() over (partition by ${series.join(', ')} order by landed desc) = 1
     order by node_id limit ${maxRows}`,
  )
  return { columns, rows: answer.getRowsJS() }
}
