import type { DuckDBConnection } from '@duckdb/node-api'
import { isScope, quoteIdentifier, tableOf } from '../domain/name.ts'

/**
 * The migrations of the file from one format to the next, in order; the first one begins at format 1. Each runs in a transaction that also stores the new
 * format, so a file always has exactly one format.
 */
const migrations: readonly ((connection: DuckDBConnection) => Promise<void>)[] = [
  addNodeIds,
  addBegunColumns,
  addSealedFiles,
  addDeclaredFields,
]

/** The format of the file that this version of the server writes. */
const storeFormat = 1 + migrations.length

/**
 * Initialize an empty file, or migrate an older one.
 *
 * Throws an Error with an explanation when the file belongs to another program or to a newer version. Then nothing is changed.
 */
export async function migrate(connection: DuckDBConnection): Promise<void> {
  const found = await connection.runAndReadAll(
    `select table_name from duckdb_tables() where schema_name = 'main'`,
  )
  const tables = found.getRowsJS().map(([name]) => name)
  if (tables.length === 0) {
    await createTables(connection)
    return
  }
  if (!tables.includes('store') || !tables.includes('spools'))
    throw new Error('it is a DuckDB file of something else')
  const stored = await connection.runAndReadAll('select format from main.store')
  const format = Number(stored.getRowsJS()[0]?.[0])
  if (!(format >= 1 && format <= storeFormat))
    throw new Error(
      `its format is ${format}, and this version reads formats 1 to ${storeFormat}: start the version that wrote it`,
    )
  for (let from = format; from < storeFormat; from++)
    await inTransaction(connection, async () => {
      await migrations[from - 1]?.(connection)
      await connection.run(`update main.store set format = ${from + 1}`)
    })
}

async function createTables(connection: DuckDBConnection): Promise<void> {
  await inTransaction(connection, async () => {
    await connection.run(`
      create table main.store (format integer not null, landed bigint not null);
      insert into main.store values (${storeFormat}, 0);
      create table main.spools (
        node_id integer not null, spool varchar not null, committed_seq bigint not null,
        primary key (node_id, spool)
      );
      ${begunColumns};
      ${sealedFiles};
      ${declaredFields}`)
  })
}

/** Format 2: every row has the id of its node, which follows from the spool. A field of the same name is renamed. */
async function addNodeIds(connection: DuckDBConnection): Promise<void> {
  const answer = await connection.runAndReadAll(
    `select t.schema_name, t.table_name, c.column_name is not null from duckdb_tables() t
     left join duckdb_columns() c on c.table_oid = t.table_oid and c.column_name = 'node_id'
     where t.database_name = current_database()`,
  )
  for (const [scope, name, hasField] of answer.getRowsJS()) {
    if (typeof scope !== 'string' || typeof name !== 'string' || !isScope(scope)) continue
    const table = tableOf({ scope, name })
    if (hasField === true)
      await connection.run(`alter table ${table} rename column node_id to node_id_field`)
    await connection.run(`alter table ${table} add column ${quoteIdentifier('node_id')} integer`)
    await connection.run(
      `update ${table} set node_id = s.node_id from main.spools s where s.spool = ${table}.spool`,
    )
  }
}

/** The table of how many columns samples of each node have added. */
const begunColumns = `
  create table main.begun_columns (
    scope varchar not null, name varchar not null, node_id integer not null, columns integer not null,
    primary key (scope, name, node_id)
  )`

/** Format 3: columns are counted for the node whose sample added them. Older columns count for no node. */
async function addBegunColumns(connection: DuckDBConnection): Promise<void> {
  await connection.run(begunColumns)
}

/** The manifest of sealed files, and what was removed because a scope keeps no more. An entry’s content is described in `sealed-files.ts`. */
const sealedFiles = `
  create table main.sealed_files (
    scope varchar not null, name varchar not null, file varchar not null, first_node_id integer, first_landed bigint not null,
    content varchar not null
  );
  create table main.removals (scope varchar not null, name varchar not null, removed_rows bigint not null, until_us bigint not null)`

/** Format 4: rows of hours that are over are in Parquet files. Those that are in the database already move there as others do. */
async function addSealedFiles(connection: DuckDBConnection): Promise<void> {
  await connection.run(sealedFiles)
}

/** The fields that points have declared. The column of each has the type that was declared. */
const declaredFields = `
  create table main.declared_fields (
    scope varchar not null, name varchar not null, field varchar not null, primary key (scope, name, field)
  )`

/** Format 5: it is known which fields are declared. Those of earlier points are declared again with the next run that has them. */
async function addDeclaredFields(connection: DuckDBConnection): Promise<void> {
  await connection.run(declaredFields)
}

async function inTransaction(
  connection: DuckDBConnection,
  work: () => Promise<void>,
): Promise<void> {
  await connection.run('begin')
  try {
    await work()
    await connection.run('commit')
  } catch (error) {
    await connection.run('rollback').catch(() => {
      // A failed commit has ended the transaction by itself.
    })
    throw error
  }
}
