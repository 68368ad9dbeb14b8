import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TelemetryStore } from './store.ts'
import { scratchDir } from './store/database.ts'
import type { ParquetRequest } from './store/protocol.ts'

/** A Parquet file that is being sent to a client. */
export interface ParquetFile {
  readonly stream: Readable
  readonly bytes: number
}

/**
 * Write rows to a Parquet file and open it. Its name is removed, so the file disappears when its stream ends. Null: there is no such measurement. The signal
 * cancels this.
 */
export async function openParquet(
  store: TelemetryStore,
  {
    dir,
    signal,
    ...request
  }: Omit<ParquetRequest, 'file' | 'id'> & { readonly dir: string; readonly signal: AbortSignal },
): Promise<ParquetFile | null> {
  const file = join(scratchDir(dir), `${randomUUID()}.parquet`)
  try {
    if (!(await store.writeParquet({ ...request, file }, signal))) return null
    const handle = await open(file)
    const { size } = await handle.stat()
    return { stream: handle.createReadStream(), bytes: size }
  } finally {
    await rm(file, { force: true })
  }
}
