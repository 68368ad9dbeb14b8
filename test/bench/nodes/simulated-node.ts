import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../../agent/src/loop/clock.ts'
import { createPuller } from '../../../agent/src/loop/puller.ts'
import { createReporter } from '../../../agent/src/loop/reporter.ts'
import type { Sample } from '../../../agent/src/measurement/sample.ts'
import { createUplink } from '../../../agent/src/measurement/uplink/uplink.ts'
import { createServerClient } from '../../../agent/src/server/client.ts'
import { nodeReport, nodeSecret } from '../../support/server-process.ts'
import { createMemorySpool } from './memory-spool.ts'

/** The agent's defaults. Source: agent/src/config.ts, POLL_S and HEALTH_INTERVAL_S. */
const pollMs = 60_000
const healthMs = 10_000

/** Options of {@link simulateNode}. */
export interface SimulatedNodeOptions {
  readonly id: number
  /** The server, `https://host:port`. */
  readonly url: string
  readonly certificateSha256: string
  /** What the node's collectors measure, in one round. */
  readonly collect: () => readonly Sample[]
  /** Called on each hint that the target has changed. */
  readonly onHint: () => void
  /** Called when a request failed or the stream broke. */
  readonly onTrouble: () => void
  readonly signal: AbortSignal
}

/** A node as its server sees it. */
export interface SimulatedNode {
  /** How many samples the server has acknowledged. */
  acknowledged(): number
  /** Measure and poll from now on, each from a moment of its own. */
  begin(): void
}

/** Run the parts of an agent that speak to the server: its stream with samples and pings, and its polls. Settles when the server has welcomed it. */
export async function simulateNode(options: SimulatedNodeOptions): Promise<SimulatedNode> {
  const { id, url, certificateSha256, collect, onHint, onTrouble, signal } = options
  const client = createServerClient({ url, certificateSha256, token: nodeSecret(id), nodeId: id })
  const spool = createMemorySpool()
  const welcomed = Promise.withResolvers<undefined>()
  const uplink = createUplink({
    spool,
    softVersion: 'bench',
    openStream: (attempt) => client.openStream(attempt),
    onChanged: onHint,
    onConnected: () => welcomed.resolve(undefined),
    onDisconnected: onTrouble,
    signal,
  })
  await welcomed.promise
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: onTrouble,
    error: onTrouble,
  }
  const reporter = createReporter({
    makeReport: () => Promise.resolve(nodeReport),
    putReport: (document, attempt) => client.putReport(document, attempt),
    longestWaitMs: pollMs,
    clock: systemClock,
    log,
  })
  const puller = createPuller({
    poll: (etag) => uplink.poll({ target: etag, report: reporter.etag }),
    getTarget: (etag, attempt) => client.getTarget(etag, attempt),
    etag: null,
    pollMs,
    clock: systemClock,
    log,
    onTarget: () => Promise.resolve(),
    onContact: (isReportKnown) => reporter.noteContact(isReportKnown),
  })

  async function measure(): Promise<void> {
    while (!signal.aborted) {
      spool.append(collect())
      await delay(healthMs, undefined, { signal })
    }
  }
  /** Begin at some moment of a period, as nodes do that were started one by one. */
  async function beginWithin(periodMs: number, work: () => Promise<unknown>): Promise<void> {
    try {
      await delay(Math.random() * periodMs, undefined, { signal })
      await work()
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  return {
    acknowledged: () => spool.firstSeq - 1,
    begin() {
      void beginWithin(healthMs, measure)
      void beginWithin(pollMs, () => Promise.all([puller.run(signal), reporter.run(signal)]))
    },
  }
}
