import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startPrometheus, startVictoria } from '../ingest/peer.ts'
import { fieldNames, makeNode, startMs, type DataSize } from './data.ts'

const run = promisify(execFile)

/** The bytes of all files in a folder. */
export async function folderBytes(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}

/** Generate the samples in the text format of OpenMetrics, times in seconds. */
function* openMetrics({ nodes, seconds }: DataSize): Generator<string> {
  const rows = Array.from({ length: nodes }, (_, node) => makeNode(node))
  for (let second = 0; second < seconds; second++)
    yield rows
      .map((row, node) =>
        row(second)
          .map((value, field) => {
            const time = startMs / 1_000 + second
            return `bench_${fieldNames[field] ?? ''}{node="n${node}"} ${value} ${time}\n`
          })
          .join(''),
      )
      .join('')
  yield '# EOF\n'
}

/** Store the samples in blocks of Prometheus, by its own tool, and return their bytes. */
export async function fillPrometheus(dir: string, size: DataSize): Promise<number> {
  const text = `${dir}.txt`
  const out = createWriteStream(text)
  for (const part of openMetrics(size)) if (!out.write(part)) await once(out, 'drain')
  out.end()
  await once(out, 'close')
  await run('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', text, dir], {
    maxBuffer: 64 * 1024 * 1024,
  })
  await rm(text)
  return folderBytes(dir)
}

/** Store the samples in VictoriaMetrics, let it merge its parts, and return their bytes after it has ended. */
export async function fillVictoria(dir: string, size: DataSize): Promise<number> {
  {
    await using running = await startVictoria(dir)
    const base = `http://127.0.0.1:${running.port}`
    let batch: string[] = []
    const send = async (): Promise<void> => {
      // It takes milliseconds in the text format, and OpenMetrics has seconds.
      const body = batch.join('').replaceAll(/ (\d+)\n/gu, ' $1000\n')
      const answer = await fetch(`${base}/api/v1/import/prometheus`, { method: 'POST', body })
      if (!answer.ok) throw new Error(`VictoriaMetrics answered ${answer.status}`)
      batch = []
    }
    for (const part of openMetrics(size)) {
      if (!part.startsWith('#')) batch.push(part)
      if (batch.length >= 100) await send()
    }
    await send()
    await fetch(`${base}/internal/force_flush`)
    await fetch(`${base}/internal/force_merge`)
    for (;;) {
      const metrics = await (await fetch(`${base}/metrics`)).text()
      if (!/^vm_active_merges\{[^}]*\} [1-9]/mu.test(metrics)) break
    }
  }
  return folderBytes(join(dir, 'data'))
}

/** A Prometheus that answers queries about stored blocks. */
export async function openPrometheus(dir: string): Promise<
  {
    /** Ask for the 95th percentile of each minute and node. Returns the number of values, the milliseconds, and the processor time in milliseconds. */
    p95(
      size: DataSize,
    ): Promise<{ readonly values: number; readonly ms: number; readonly cpuMs: number }>
  } & AsyncDisposable
> {
  const running = await startPrometheus(dir)
  return {
    async p95({ seconds }) {
      const from = startMs / 1_000
      const minutes = Math.floor(seconds / 60)
      const query = new URLSearchParams({
        query: 'quantile_over_time(0.95, bench_rtt_s[1m])',
        ...{ start: String(from + 60), end: String(from + minutes * 60), step: '60' },
      })
      const cpu = await running.cpuSeconds()
      const begun = performance.now()
      const answer = await fetch(`http://127.0.0.1:${running.port}/api/v1/query_range?${query}`)
      const { data } = (await answer.json()) as { data: { result: { values: unknown[] }[] } }
      const ms = performance.now() - begun
      const cpuMs = ((await running.cpuSeconds()) - cpu) * 1_000
      return { values: data.result.reduce((sum, { values }) => sum + values.length, 0), ms, cpuMs }
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

/** Tell whether the peers are installed. */
export async function throwWithoutPeers(): Promise<void> {
  for (const command of ['prometheus', 'promtool', 'victoria-metrics']) {
    const child = spawn(command, ['--version'], { stdio: 'ignore' })
    await once(child, 'spawn').catch(() => {
      throw new Error(`${command} is not installed: apt-get install prometheus victoria-metrics`)
    })
  }
}
