import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError, routes } from '@community-lab/contract'
import type { Supervised } from '../process/supervised.ts'
import type { ServerClient } from './server-client.ts'

/** Options of {@link waitForServer}. */
export interface WaitOptions {
  readonly client: ServerClient
  /** The processes that the server's health depends on, including the server. */
  readonly parts: readonly Supervised[]
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** After this number of ends in a row, a process will not start any more. */
const hopelessDeaths = 3

/**
 * Wait until the server is healthy: its database, its telemetry store, and its end of the management network, to which nodes can then connect.
 *
 * @throws {@link LabError} LAB_VCT_PROCESS_ENDED when a process keeps ending, LAB_TIMEOUT.
 */
export async function waitForServer(options: WaitOptions): Promise<void> {
  const { client, parts, signal, timeoutMs } = options
  const start = performance.now()
  let last = ''
  for (;;) {
    try {
      const { status, body } = await client.answer(routes.health, { signal })
      if (status === 200) return
      last = `it answers ${status}: ${body}`
    } catch (error) {
      // The server does not answer yet.
      if (!LabError.is(error, 'LAB_CONNECTION_FAILED')) throw error
      last = error.message
    }
    for (const part of parts) refuseHopeless(part)
    const waitedMs = Math.round(performance.now() - start)
    if (waitedMs > timeoutMs) {
      const logs = parts.map((part) => `${part.logFile} ends with "${part.lastLine}"`)
      const what = `the server's being well (${[last, ...logs].join('; ')})`
      throw new LabError('LAB_TIMEOUT', { what, waitedMs })
    }
    await delay(100, undefined, { signal })
  }
}

/** @throws {@link LabError} LAB_VCT_PROCESS_ENDED when a process has ended too often during start-up. */
export function refuseHopeless(
  one: Pick<Supervised, 'name' | 'deaths' | 'lastReason' | 'lastLine' | 'logFile'>,
): void {
  if (one.deaths < hopelessDeaths) return
  throw new LabError('LAB_VCT_PROCESS_ENDED', {
    process: one.name,
    reason: `${one.deaths} times, ${one.lastReason}`,
    log: one.logFile,
    lastLine: one.lastLine,
  })
}

/** Read the operator's token that the server has written. */
export async function readOperatorToken(serverData: string, file: string): Promise<string> {
  return (await readFile(join(serverData, file), 'utf8')).trim()
}
