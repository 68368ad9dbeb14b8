import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import type { StoreSettings } from './protocol.ts'

/** The layout of the file; a file of another one is refused. */
export const storeFormat = 1

/** The open file: one connection writes, the others read, so that no reader waits for a commit. */
export interface StoreDatabase {
  readonly writing: DuckDBConnection
  readonly reading: DuckDBConnection
  readonly exporting: DuckDBConnection
  close(): void
}

/** The store's file. */
export function storeFile(dir: string): string {
  return join(dir, 'telemetry.duckdb')
}

/** The folder of files that a killed server may leave behind; emptied when the store opens. */
export function scratchDir(dir: string): string {
  return join(dir, 'scratch')
}

/** Open the store's file, or begin a new one. Throws DuckDB's errors, and an Error that tells of a foreign layout. */
export async function openDatabase({ dir, memoryMiB }: StoreSettings): Promise<StoreDatabase> {
  const scratch = scratchDir(dir)
  const instance = await DuckDBInstance.create(storeFile(dir), {
    // Extensions would come from the network; what is needed is linked in.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${memoryMiB}MiB`,
    temp_directory: join(scratch, 'spill'),
    threads: '2',
  })
  try {
    // Only now: until the file is ours, the folder may be another process's.
    await rm(scratch, { recursive: true, force: true })
    await mkdir(scratch, { recursive: true, mode: 0o700 })
    const writing = await instance.connect()
    await prepareTables(writing)
    const reading = await instance.connect()
    const exporting = await instance.connect()
    return { writing, reading, exporting, close: () => instance.closeSync() }
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

async function prepareTables(connection: DuckDBConnection): Promise<void> {
  const found = await connection.runAndReadAll(
    `select table_name from duckdb_tables() where schema_name = 'main'`,
  )
  if (found.currentRowCount === 0) {
    await connection.run(`
      begin;
      create table main.store (format integer not null, landed bigint not null);
      insert into main.store values (${storeFormat}, 0);
      create table main.spools (
        node_id integer not null, spool varchar not null, committed_seq bigint not null,
        primary key (node_id, spool)
      );
      commit`)
    return
  }
  const tables = found.getRowsJS().map(([name]) => name)
  if (!tables.includes('store') || !tables.includes('spools'))
    throw new Error('it is a DuckDB file of something else')
  const stored = await connection.runAndReadAll('select format from main.store')
  const format = Number(stored.getRowsJS()[0]?.[0])
  if (format !== storeFormat)
    throw new Error(`its layout is ${format}, this version reads ${storeFormat}`)
}
