import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createCollector } from '../../../../server/src/otlp/collector.ts'
import { startExport } from '../../../../server/src/otlp/export.ts'
import {
  createTelemetryStore,
  type TelemetryStore,
} from '../../../../server/src/telemetry/store.ts'
import { python } from '../../../support/python-checks.ts'
import { fromNode, makeFolder, samples } from './world.ts'

/** What a request to the collector has, as the JSON of OpenTelemetry's protocol. */
interface Sent {
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string
        readonly gauge: { readonly dataPoints: readonly { readonly asDouble: number }[] }
      }[]
    }[]
  }[]
}

/** A collector that reads with OpenTelemetry's own schema. */
async function startCollector() {
  const program = join(import.meta.dirname, '../../../support/otlp_collector.py')
  const child = spawn(python, ['-B', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  const port = Number(await next())
  return {
    port,
    /** The next values of the metric that the tests measure. */
    async values(): Promise<number[]> {
      const { resourceMetrics = [] } = JSON.parse(await next()) as Sent
      const metrics = resourceMetrics.flatMap((each) =>
        each.scopeMetrics.flatMap((scope) => scope.metrics),
      )
      return metrics
        .filter(({ name }) => name.endsWith('.cpu.busy'))
        .flatMap(({ gauge }) => gauge.dataPoints.map(({ asDouble }) => asDouble))
    },
    async answer(status: number): Promise<void> {
      child.stdin.write(`${status}\n`)
      expect(await next()).toBe('{}')
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

let folder: Awaited<ReturnType<typeof makeFolder>>
let store: TelemetryStore
let collector: Awaited<ReturnType<typeof startCollector>>
const problems: string[] = []

beforeEach(async () => {
  folder = await makeFolder()
  store = await createTelemetryStore({ dir: folder.dir, commitDelayMs: 1 })
  collector = await startCollector()
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${collector.port}`)
  problems.length = 0
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await collector[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const start = (withSlices = false) =>
  startExport({
    store,
    collector: createCollector('1.0.0'),
    dir: folder.dir,
    withSlices,
    onProblem: (_error, what) => void problems.push(what),
  })
const ofSlice = { scope: 'slice-3', sliver: '3@1' }

it('sends what is committed from its first start on, and after a restart what was committed meanwhile', async () => {
  await store.append(fromNode(samples(1, 2)))
  const first = await start()
  await store.append(fromNode(samples(3, 4)))
  expect(await collector.values()).toEqual([1.5, 2])
  await first[Symbol.asyncDispose]()
  await store.append(fromNode(samples(5, 5)))
  const second = await start()
  expect(await collector.values()).toEqual([2.5])
  await store.append(fromNode(samples(6, 6)))
  expect(await collector.values()).toEqual([3])
  await second[Symbol.asyncDispose]()

  // A version of before wrote the number of the last row of each measurement.
  const file = join(folder.dir, 'otlp-sent.json')
  const kept = JSON.parse(await readFile(file, 'utf8')) as {
    readonly version: number
    readonly sent: Readonly<Record<string, string>>
  }
  expect(kept.version).toBe(2)
  expect(kept.sent['node/cpu']).toMatch(/^v1:1=\d+$/u)
  const sent = Object.entries(kept.sent).map(
    ([key, cursor]) => [key, Number(cursor.slice('v1:1='.length))] as const,
  )
  await writeFile(file, JSON.stringify({ version: 1, sent: Object.fromEntries(sent) }))
  await store.append(fromNode(samples(7, 7)))
  await using _third = await start()
  expect(await collector.values()).toEqual([3.5])
})

it('sends samples of slices only where that is set', async () => {
  const first = await start()
  await store.append(fromNode([...samples(1, 1, ofSlice), ...samples(2, 2)]))
  expect(await collector.values()).toEqual([1])
  await first[Symbol.asyncDispose]()
  await using _second = await start(true)
  await store.append(fromNode(samples(3, 3, ofSlice)))
  expect(await collector.values()).toEqual([1.5])
})

it('sends again what a collector could not take, and leaves out what it refuses, in words', async () => {
  await using _exporting = await start()
  await collector.answer(400)
  await store.append(fromNode(samples(1, 1)))
  expect(await collector.values()).toEqual([0.5])
  await expect.poll(() => problems).toEqual(['the collector refused 1 rows of node/cpu'])
  await collector.answer(503)
  await store.append(fromNode(samples(2, 2)))
  expect(await collector.values()).toEqual([1])
  await collector.answer(200)
  // The library tries again by itself.
  const again = await collector.values()
  expect(again).toEqual([1])
})
