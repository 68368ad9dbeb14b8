import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { migrate } from './migrations.ts'
import type { StoreSettings } from './protocol.ts'

/** The open file. One connection writes and the others read, so that no reader waits for a commit. */
export interface StoreDatabase {
  readonly writing: DuckDBConnection
  readonly reading: DuckDBConnection
  readonly surveying: DuckDBConnection
  readonly exporting: DuckDBConnection
  readonly exportingAnonymous: DuckDBConnection
  readonly compacting: DuckDBConnection
  /** Interrupt the current work of its connections. */
  interrupt(): void
  close(): void
}

/** Return the path of the store's file. */
export function storeFile(dir: string): string {
  return join(dir, 'telemetry.duckdb')
}

/** Return the folder for temporary files. A killed server may leave some; they are removed when the store opens. */
export function scratchDir(dir: string): string {
  return join(dir, 'scratch')
}

/** Open the store's file, or create a new one. Throws DuckDB's errors, and an Error that describes a foreign or newer file. */
export async function openDatabase({ dir, memoryMiB }: StoreSettings): Promise<StoreDatabase> {
  const scratch = scratchDir(dir)
  const instance = await DuckDBInstance.create(storeFile(dir), {
    // DuckDB would download extensions. The needed ones are linked in.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${memoryMiB}MiB`,
    // Files for readers have their rows in the order of the row numbers.
    preserve_insertion_order: 'true',
    temp_directory: join(scratch, 'spill'),
    // The caller's thread alone works. With a second one, whoever waits for it does not sleep but asks again and again, as long as the system lets that thread wait:
    // where more programs wait for the processor, a checkpoint took seconds of its time.
    threads: '1',
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
    // Empty the folder only now, because until the file is open, another process may use the folder.
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
      compacting: await connect(),
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
