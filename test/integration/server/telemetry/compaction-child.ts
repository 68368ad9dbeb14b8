import process from 'node:process'
import { DuckDBConnection } from '@duckdb/node-api'
import { createCompaction } from '../../../../server/src/telemetry/store/compaction.ts'
import { openDatabase, scratchDir } from '../../../../server/src/telemetry/store/database.ts'
import { openFileWriter } from '../../../../server/src/telemetry/store/file-writer.ts'
import { openIngest } from '../../../../server/src/telemetry/store/ingest.ts'
import type { StoreSettings } from '../../../../server/src/telemetry/store/protocol.ts'
import { loadSealedFiles, sealedDir } from '../../../../server/src/telemetry/store/sealed-files.ts'

// Compacts a store as at a time, and is killed right before its Nth statement of DuckDB.
const [dir = '', atMs = '', step = ''] = process.argv.slice(2)
const settings: StoreSettings = {
  ...{ dir, memoryMiB: 64, exportWithinMs: 1_000, compactEveryMs: null, compactFreeBytes: 0 },
  quota: { rowsPerHour: 1e9, bytesPerHour: 1e12 },
  keep: { sliceBytes: 1e12, nodeBytes: 1e12, sliceDays: 730, nodeDays: 730 },
  bounds: {
    ...{ measurementsPerScope: 256, undeclaredPerNode: 16, fieldsPerMeasurement: 256 },
    ...{ fieldsPerNode: 32, sliceFieldsPerNode: 128 },
  },
}
const database = await openDatabase(settings)
const files = await loadSealedFiles(database.writing, dir)
const connection = database.writing
const ingest = await openIngest({ connection, settings, onLanded: () => undefined })
const writer = await openFileWriter({
  ...{ memoryMiB: 48, dir: sealedDir(dir), scratch: scratchDir(dir) },
})
const compaction = createCompaction({
  ...{ settings, ingest, files, writer, connection: database.compacting },
  onRemoved: () => undefined,
})
let left = Number(step)
const { run } = DuckDBConnection.prototype
DuckDBConnection.prototype.run = function counted(this: DuckDBConnection, ...args) {
  if (--left === 0) process.kill(process.pid, 'SIGKILL')
  return run.apply(this, args)
}
const { failures } = await compaction.run(Number(atMs) * 1000)
if (failures.length > 0) throw new Error(failures.join('; '))
await ingest.close()
writer.close()
database.close()
