import {
  LabError,
  Node as NodeObject,
  routes,
  type Sliver as SliverObject,
} from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'
import { readSlivers } from '../sliver/read-slivers.ts'
import { sleep } from '../wait/signal.ts'
import type { RunPart } from './end.ts'

/** How long a run waits for parts whose end cannot be reported. */
export interface Patience {
  /** Time between two looks at the nodes, in milliseconds. */
  readonly lookMs: number
  /** The run gives a part up when it was silent for so long, in milliseconds. */
  readonly silentMs: number
}

export const defaultPatience: Patience = { lookMs: 5_000, silentMs: 60_000 }

/** Why the end of a part cannot be reported now, by the id of its sliver. */
export type Silences = ReadonlyMap<string, string>

/** What {@link watchSilence} needs. */
export interface SilenceOptions {
  readonly sliceId: number
  /** The parts that are still waited for. */
  waiting(): readonly RunPart[]
  /** Called with what is known after each look. */
  tell(silences: Silences): void
  readonly patience: Patience
  readonly signal: AbortSignal
}

/**
 * Watch the parts of a run that have not ended. A part is silent when its end cannot be reported: its node is off, or its sliver was stopped or started again.
 * Settles when all of them have been silent for `silentMs`. Rejects with the signal's reason.
 */
export async function watchSilence(
  session: Session,
  { sliceId, waiting, tell, patience, signal }: SilenceOptions,
): Promise<void> {
  const since = new Map<string, number>()
  for (;;) {
    await sleep(patience.lookMs, signal)
    const parts = waiting()
    const silences = await findSilences(session, { sliceId, parts, signal })
    // The server did not answer, so nothing is known of the nodes.
    if (silences === null) continue
    tell(silences)
    const now = performance.now()
    for (const { sliver } of parts) {
      if (!silences.has(sliver.id)) since.delete(sliver.id)
      else if (!since.has(sliver.id)) since.set(sliver.id, now)
    }
    const isOver = ({ sliver }: RunPart): boolean =>
      now - (since.get(sliver.id) ?? now) >= patience.silentMs
    if (parts.length > 0 && parts.every(isOver)) return
  }
}

/** Find the parts whose end cannot be reported now. Returns null when the server does not answer. */
async function findSilences(
  session: Session,
  {
    sliceId,
    parts,
    signal,
  }: { readonly sliceId: number; readonly parts: readonly RunPart[]; readonly signal: AbortSignal },
): Promise<Silences | null> {
  try {
    const query = { '/state': JSON.stringify('offline') }
    const [nodes, slivers] = await Promise.all([
      session.http.ask(Type.Array(NodeObject), routes.nodes, { query, signal }),
      readSlivers(session, sliceId, signal),
    ])
    const offline = new Set(
      nodes.filter(({ state }) => state === 'offline').map(({ name }) => name),
    )
    const known = new Map(slivers.map((sliver) => [sliver.id, sliver]))
    return new Map(
      parts.flatMap((part) => {
        const { id, node } = part.sliver
        const reason = offline.has(node) ? 'its node is offline' : maybeReason(part, known.get(id))
        return reason === null ? [] : [[id, reason] as const]
      }),
    )
  } catch (error) {
    signal.throwIfAborted()
    if (LabError.is(error)) return null
    throw error
  }
}

/** Why the end of a part cannot be reported; null when it can. */
function maybeReason({ startedS }: RunPart, sliver: SliverObject | undefined): string | null {
  if (sliver === undefined) return 'its sliver was removed'
  const { state, actual } = sliver
  if (state !== 'started') return `its sliver is ${state}`
  const startedOn = actual?.started_on ?? null
  // Both times are by the node's clock. The start of the run is known to the second only.
  const isRestarted = startedOn !== null && Date.parse(startedOn) / 1000 > startedS + 1
  return isRestarted ? `its sliver was started again at ${startedOn}` : null
}
