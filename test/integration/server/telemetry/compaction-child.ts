import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { DuckDBConnection } from '@duckdb/node-api'
import { createCompaction } from '../../../../server/src/telemetry/store/compaction.ts'
import { openDatabase, scratchDir } from '../../../../server/src/telemetry/store/database.ts'
import { openFileWriter } from '../../../../server/src/telemetry/store/file-writer.ts'
import { openIngest } from '../../../../server/src/telemetry/store/ingest.ts'
import type { StoreSettings } from '../../../../server/src/telemetry/store/protocol.ts'
import { loadSealedFiles, sealedDir } from '../../../../server/src/telemetry/store/sealed-files.ts'

// Compacts a store as at a time, and is killed right before the Nth of its statements of DuckDB that write a file, or begin or commit a transaction: what lies between changes nothing on the disk. With `POWER_LOG`, each commit is an event in that record, and the database as it is then is
// copied beside it, to `commit-N`. DuckDB syncs its log before a commit returns.
const [dir = '', atMs = '', step = ''] = process.argv.slice(2)
const settings: StoreSettings = {
  ...{ dir, memoryMiB: 64, exportWithinMs: 1_000, compactEveryMs: null, compactFreeBytes: 0 },
  quota: { rowsPerHour: 1e9, bytesPerHour: 1e12 },
  keep: { sliceBytes: 1e12, nodeBytes: 1e12, sliceDays: 730, nodeDays: 730 },
  aside: { files: 1, bytes: 1e12 },
  bounds: {
    ...{ measurementsPerScope: 256, undeclaredPerNode: 16, fieldsPerMeasurement: 256 },
    ...{ fieldsPerNode: 32, sliceFieldsPerNode: 128, spoolsPerNode: 64 },
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
  if (/^(?:copy|begin|commit)/u.test(args[0].trim()) && --left === 0)
    process.kill(process.pid, 'SIGKILL')
  const answer = run.apply(this, args)
  return args[0] === 'commit' ? answer.then(noteCommit) : answer
}

const record = process.env['POWER_LOG']
let commits = 0

async function noteCommit<T>(answer: T): Promise<T> {
  if (record === undefined) return answer
  const copy = join(dirname(record), `commit-${++commits}`)
  await mkdir(copy)
  for (const name of ['telemetry.duckdb', 'telemetry.duckdb.wal'])
    if (existsSync(join(dir, name))) await copyFile(join(dir, name), join(copy, name))
  const file = openSync(record, 'a')
  writeSync(file, `${JSON.stringify({ do: 'event', event: commits })}\n`)
  closeSync(file)
  return answer
}

const { failures } = await compaction.run(Number(atMs) * 1000)
if (failures.length > 0) throw new Error(failures.join('; '))
await ingest.close()
writer.close()
database.close()
