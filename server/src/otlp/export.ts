import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { firstWriter } from '@community-lab/contract'
import { maybeSliceOf, measurementKey, nodeScope } from '../telemetry/domain/name.ts'
import type { TelemetryStore } from '../telemetry/store.ts'
import type { Collector } from './collector.ts'
import { isRefusal } from './domain/refusal.ts'
import { openCursors } from './cursors.ts'
import { toOtelMetrics } from './domain/points.ts'

/** Options of {@link startExport}. */
export interface ExportOptions {
  readonly store: Pick<TelemetryStore, 'list' | 'rows' | 'onLanded'>
  readonly collector: Collector
  /** The folder of the file that says how far was sent. */
  readonly dir: string
  /** Whether samples of slices are sent, too. */
  readonly withSlices: boolean
  readonly onProblem: (error: unknown, what: string) => void
}

/** The most rows in one request to the collector. */
const maxRows = 1_000
/** How long to wait before a collector that did not answer is asked again, at first and at most, in milliseconds. */
const firstPauseMs = 1_000
const maxPauseMs = 60_000
/** How long the end waits for the request that is under way, in milliseconds. */
const endWithinMs = 1_000

/**
 * Send samples to a collector as they are committed. What was sent is kept on disk, so a restart sends nothing anew but the request that was under way. While the collector does not answer, the
 * store keeps the samples, and they are sent later. The first start begins with what is committed from then on. Rows that the collector refuses are told of, and left out.
 */
export async function startExport(options: ExportOptions): Promise<AsyncDisposable> {
  const { store, collector, dir, withSlices, onProblem } = options
  const cursors = await openCursors(join(dir, 'otlp-sent.json'))
  const ending = new AbortController()
  const { signal } = ending
  const waiting = new Set<string>()
  let wake: () => void = () => undefined

  function add(keys: Iterable<string>): void {
    for (const key of keys) if (withSlices || key.startsWith(`${nodeScope}/`)) waiting.add(key)
    wake()
  }

  /** Send the next rows of a measurement. Returns false when there are no more. */
  async function sendNext(key: string): Promise<boolean> {
    const [scope = '', name = ''] = key.split('/')
    const sent = cursors.get(key)
    const after = sent?.get(firstWriter) ?? 0
    const { batch, readTo } = await store.rows({ scope, name, after, run: null, limit: maxRows })
    if (batch !== null) {
      try {
        await collector.send(toOtelMetrics({ scope, name }, batch))
      } catch (error) {
        if (!isRefusal(error)) throw error
        onProblem(error, `the collector refused ${batch.rows.length} rows of ${key}`)
      }
    }
    cursors.set(key, new Map([...(sent ?? []), [firstWriter, readTo]]))
    await cursors.save()
    return batch !== null
  }

  async function sendAll(): Promise<void> {
    let pauseMs = firstPauseMs
    while (!signal.aborted) {
      const [key] = waiting
      if (key === undefined) {
        const { promise, resolve } = Promise.withResolvers<undefined>()
        wake = () => resolve(undefined)
        await promise
        continue
      }
      try {
        // A measurement goes to the end of the queue, so that one with many rows does not hold up the others.
        waiting.delete(key)
        if (await sendNext(key)) waiting.add(key)
        pauseMs = firstPauseMs
      } catch (error) {
        waiting.add(key)
        onProblem(error, `samples cannot be sent to the collector; next try in ${pauseMs / 1000} s`)
        await delay(pauseMs, undefined, { signal }).catch(() => undefined)
        pauseMs = Math.min(2 * pauseMs, maxPauseMs)
      }
    }
  }

  // What was committed before the first start is not sent: it may be the samples of years.
  const unsubscribe = store.onLanded((keys) => add(keys))
  for (const { scope, name } of await store.list()) {
    if (scope !== nodeScope && maybeSliceOf(scope) === null) continue
    const key = measurementKey(scope, name)
    if (cursors.get(key) === null) {
      const { readTo } = await store.rows({ scope, name, after: 0, run: null, limit: 0 })
      cursors.set(key, new Map([[firstWriter, readTo]]))
    } else add([key])
  }
  await cursors.save()
  const sending = sendAll()
  return {
    async [Symbol.asyncDispose]() {
      unsubscribe()
      ending.abort()
      wake()
      // A request that is not answered soon is sent again by the next start.
      await Promise.race([sending, delay(endWithinMs)])
      await collector[Symbol.asyncDispose]()
    },
  }
}
