import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { migrate } from './migrations.ts'
import type { StoreSettings } from './protocol.ts'

/** The open file: one connection writes, the others read, so that no reader waits for a commit. */
export interface StoreDatabase {
  readonly writing: DuckDBConnection
  readonly reading: DuckDBConnection
  readonly surveying: DuckDBConnection
  readonly exporting: DuckDBConnection
  readonly exportingAnonymous: DuckDBConnection
  /** Interrupt what its connections do at this moment. */
  interrupt(): void
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

/** Open the store's file, or begin a new one. Throws DuckDB's errors, and an Error that tells of a foreign or newer file. */
export async function openDatabase({ dir, memoryMiB }: StoreSettings): Promise<StoreDatabase> {
  const scratch = scratchDir(dir)
  const instance = await DuckDBInstance.create(storeFile(dir), {
    // Extensions would come from the network; what is needed is linked in.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${memoryMiB}MiB`,
    // Files for readers have their rows in the order of landing.
    preserve_insertion_order: 'true',
    temp_directory: join(scratch, 'spill'),
    threads: '2',
  })
  const connections: DuckDBConnection[] = []
  // A connection that is left open keeps the whole database open.
  const close = (): void => {
    for (const connection of connections) connection.closeSync()
    instance.closeSync()
  }
  const connect = async (): Promise<DuckDBConnection> => {
    const connection = await instance.connect()
    connections.push(connection)
    return connection
  }
  try {
    // Only now: until the file is ours, the folder may be another process's.
    await rm(scratch, { recursive: true, force: true })
    await mkdir(scratch, { recursive: true, mode: 0o700 })
    const writing = await connect()
    await migrate(writing)
    return {
      writing,
      reading: await connect(),
      surveying: await connect(),
      exporting: await connect(),
      exportingAnonymous: await connect(),
      interrupt() {
        for (const connection of connections) connection.interrupt()
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}
