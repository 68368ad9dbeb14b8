import type { DuckDBConnection } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../../../../server/src/telemetry/store/database.ts'
import { openIngest } from '../../../../server/src/telemetry/store/ingest.ts'
import type { StoreSettings } from '../../../../server/src/telemetry/store/protocol.ts'
import { aSample, fromNode, makeFolder } from './world.ts'

/** A connection whose next commits fail, as DuckDB's do at a bad time. */
function failCommits(connection: DuckDBConnection, reasons: string[]): DuckDBConnection {
  const failing = Object.create(connection) as DuckDBConnection
  failing.run = (sql) => {
    const reason = sql === 'commit' ? reasons.shift() : undefined
    return reason === undefined ? connection.run(sql) : Promise.reject(new Error(reason))
  }
  return failing
}

describe('a sample that DuckDB cannot commit for a reason of its own', () => {
  it.each([
    'Out of Memory Error: failed to pin block of size 256.0 KiB',
    'IO Error: Could not write file: No space left on device',
    'TransactionContext Error: Failed to commit: could not allocate block',
  ])('is not acknowledged, and is stored as it is when it comes again: %s', async (reason) => {
    await using folder = await makeFolder()
    const settings: StoreSettings = {
      ...{ dir: folder.dir, commitDelayMs: 1, commitRows: 20_000, memoryMiB: 64 },
      ...{ exportWithinMs: 1_000, quota: { rowsPerHour: 1e9, bytesPerHour: 1e12 } },
      keep: { sliceBytes: 1e12, nodeBytes: 1e12, sliceDays: 730, nodeDays: 730 },
      aside: { files: 1, bytes: 1e12 },
      ...{ compactEveryMs: null, compactFreeBytes: 0 },
      bounds: {
        ...{ measurementsPerScope: 256, undeclaredPerNode: 16 },
        ...{
          fieldsPerMeasurement: 256,
          fieldsPerNode: 32,
          sliceFieldsPerNode: 128,
          spoolsPerNode: 64,
        },
      },
    }
    const database = await openDatabase(settings)
    const connection = failCommits(database.writing, [reason, reason])
    const ingest = await openIngest({ connection, settings, onLanded: () => undefined })
    const { samples: parts, ...from } = fromNode([aSample(1)])
    const sample = { ...from, parts }
    await expect(ingest.append(sample)).rejects.toThrow(reason)
    await expect(ingest.append(sample)).rejects.toThrow(reason)
    expect(await ingest.append(sample)).toEqual({ committedSeq: 1, missingSeq: null })
    expect([...ingest.catalog.tables.values()].map(({ name }) => name)).toEqual(['cpu'])
    await ingest.close()
    database.close()
  })
})
