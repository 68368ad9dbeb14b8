import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { createTelemetryStore } from '../../server/src/telemetry/store.ts'
import { makeNode, placedSamples, startMs, type DataSize } from './store/data.ts'
import {
  fillPrometheus,
  fillVictoria,
  folderBytes,
  openPrometheus,
  throwWithoutPeers,
} from './store/peers.ts'
import { median, printTable } from './table.ts'

/** Ten million samples: a million rows of ten numbers. BENCH_SECONDS asks for others. */
const size: DataSize = { nodes: 100, seconds: Number(process.env['BENCH_SECONDS'] ?? '10000') }
const samples = size.nodes * size.seconds * 10
/** The rows of a node that are sent at a time. */
const batchRows = 50

/** Store the samples by the server's store, seal them, and return the bytes of the sealed files. */
async function fillOurs(dir: string): Promise<number> {
  await mkdir(dir)
  const store = await createTelemetryStore({ dir, compactEveryMs: null, minFreeMiB: 1 })
  const rows = Array.from({ length: size.nodes }, (_, node) => makeNode(node))
  for (let from = 0; from < size.seconds; from += batchRows) {
    const to = Math.min(size.seconds, from + batchRows)
    await Promise.all(
      rows.map((row, node) =>
        store.append({
          ...{ nodeId: node + 1, node: `n${node}`, spool: `spool-of-node-${node}` },
          samples: placedSamples(row, { from, to }),
        }),
      ),
    )
  }
  // Two days later all hours are sealed, and the files of the day are one.
  for (let round = 0; round < 2; round++) {
    const { failures } = await store.compact(startMs + 2 * 86_400_000)
    if (failures.length > 0) throw new Error(failures.join('; '))
  }
  await store[Symbol.asyncDispose]()
  return folderBytes(join(dir, 'parquet'))
}

/** A folder in memory, so that no disk is measured. */
async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp('/dev/shm/lab-store-')
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Bytes of a sample at rest: the same samples in sealed files, and in the files of Debian's VictoriaMetrics and Prometheus after they have merged them. */
export async function measureStore(rounds: number): Promise<void> {
  await throwWithoutPeers()
  const found: Record<'ours' | 'victoria' | 'prometheus', number[]> = {
    ...{ ours: [], victoria: [], prometheus: [] },
  }
  for (let round = 0; round < rounds; round++)
    await inFolder(async (dir) => {
      found.ours.push((await fillOurs(join(dir, 'ours'))) / samples)
      found.victoria.push((await fillVictoria(join(dir, 'victoria'), size)) / samples)
      found.prometheus.push((await fillPrometheus(join(dir, 'prometheus'), size)) / samples)
    })
  const ours = median(found.ours)
  printTable(
    ['bytes of a sample', 'median', 'least', 'most', 'ours of it'],
    Object.entries(found).map(([name, values]) => [
      name,
      ...[median(values), Math.min(...values), Math.max(...values)].map((one) => one.toFixed(3)),
      `${(ours / median(values)).toFixed(2)}x`,
    ]),
  )
}

/** The 95th percentile of each minute and node, of a million values among ten million samples: in a notebook's DuckDB from the file that it gets, and in Prometheus. */
export async function measureQuery(rounds: number): Promise<void> {
  await throwWithoutPeers()
  await inFolder(async (dir) => {
    await fillOurs(join(dir, 'ours'))
    await fillPrometheus(join(dir, 'prometheus'), size)
    const parquet = join(dir, 'ours', 'parquet', 'slice-1', 'bench')
    const files = (await readdir(parquet)).map((name) => `'${join(parquet, name)}'`).join(', ')
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
    const connection = await instance.connect()
    await connection.run(
      `create table bench as select node_id, time, rtt_s::double as rtt_s from read_parquet([${files}])`,
    )
    await using prometheus = await openPrometheus(join(dir, 'prometheus'))
    const ask = async (from: string) => {
      const cpu = process.cpuUsage()
      const begun = performance.now()
      const answer = await connection.runAndReadAll(
        `select node_id, epoch_us(time) // 60000000 as minute, quantile_disc(rtt_s, 0.95) as p95 from ${from} group by all`,
      )
      const { user, system } = process.cpuUsage(cpu)
      const ms = performance.now() - begun
      return { values: answer.currentRowCount, ms, cpuMs: (user + system) / 1_000 }
    }
    const found: Record<string, { ms: number; cpuMs: number; values: number }[]> = {}
    for (let round = 0; round <= rounds; round++)
      for (const [name, one] of Object.entries({
        'sealed file': () => ask(`read_parquet([${files}])`),
        'table of the notebook': () => ask('bench'),
        Prometheus: () => prometheus.p95(size),
      })) {
        const answer = await one()
        // The first round is not counted: each opens its files then.
        if (round > 0) (found[name] ??= []).push(answer)
      }
    connection.closeSync()
    instance.closeSync()
    const middle = (name: string, of: 'ms' | 'cpuMs') =>
      median((found[name] ?? []).map((each) => each[of]))
    printTable(
      ['p95 per node and minute', 'values', 'ms', 'of Prometheus', 'processor ms', 'of Prometheus'],
      Object.entries(found).map(([name, answers]) => [
        name,
        String(answers[0]?.values),
        middle(name, 'ms').toFixed(0),
        `${(middle(name, 'ms') / middle('Prometheus', 'ms')).toFixed(2)}x`,
        middle(name, 'cpuMs').toFixed(0),
        `${(middle(name, 'cpuMs') / middle('Prometheus', 'cpuMs')).toFixed(2)}x`,
      ]),
    )
  })
}
