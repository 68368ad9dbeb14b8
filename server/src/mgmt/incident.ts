import { parseTincName, type Incident } from '@community-lab/contract'
import type { GatewayEvent } from '../gateway/protocol.ts'
import type { Registry } from '../registry/registry.ts'

/** The time until the same incident is reported again, in milliseconds. A host that is refused tries every 5 s. */
const repeatAfterMs = 10 * 60_000
/** The most different incidents in that time, because hosts that try to connect choose the names in them. */
const mostAtOnce = 100

/** Options of {@link createIncidentReporter}. */
export interface IncidentReporterOptions {
  readonly registry: Pick<Registry, 'node' | 'reportIncident'>
  /** A monotonic clock, in milliseconds. */
  readonly nowMs: () => number
}

/** Report what the gateway refuses as incidents for operators, each once in ten minutes. */
export function createIncidentReporter({
  registry,
  nowMs,
}: IncidentReporterOptions): (event: GatewayEvent) => Promise<void> {
  const reportedMs = new Map<string, number>()
  return async (event) => {
    if (event.event !== 'unauthorized_subnet' && event.event !== 'unknown_host') return
    for (const [key, atMs] of reportedMs) {
      if (nowMs() - atMs >= repeatAfterMs) reportedMs.delete(key)
    }
    const subnet = event.event === 'unauthorized_subnet' ? event.subnet : ''
    const key = [event.event, event.name, subnet].join(' ')
    if (reportedMs.has(key) || reportedMs.size >= mostAtOnce) return
    reportedMs.set(key, nowMs())
    const owner = parseTincName(event.name)
    const node = owner?.kind === 'node' ? await registry.node(owner.id) : null
    await registry.reportIncident(describe(event, node?.name ?? null))
  }
}

function describe(
  event: Extract<GatewayEvent, { event: 'unauthorized_subnet' | 'unknown_host' }>,
  node: string | null,
): Incident {
  const who = node === null ? event.name : `node ${node} (${event.name})`
  const at = `from ${event.address} in the community network`
  const message =
    event.event === 'unauthorized_subnet'
      ? `${who}, ${at}, announced the subnet ${event.subnet}, which is not its own; it was ignored`
      : `${who}, ${at}, wanted to join the management network but is not enrolled or was revoked; it was refused`
  return { code: event.event, node: node ?? event.name, message }
}
