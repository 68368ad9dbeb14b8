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

/** How long a wait is kept up for parts that can tell of no end. */
export interface Patience {
  /** Between two looks at the nodes, in milliseconds. */
  readonly lookMs: number
  /** For how long a part must be silent until it is given up, in milliseconds. */
  readonly silentMs: number
}

export const defaultPatience: Patience = { lookMs: 5_000, silentMs: 60_000 }

/** Why parts of a run can tell of no end, by their sliver's id. */
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
 * Watch over the parts of a run that are waited for. Settles when none of them can tell of its end, each for some time: its node is off, or its sliver was stopped or started anew.
 * Rejects with the signal's reason.
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
    // Who cannot be asked tells nothing of the nodes.
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

/** Why parts can tell of no end now. Null when the server cannot be asked. */
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

/** What ended a part together with its sliver. */
function maybeReason({ startedS }: RunPart, sliver: SliverObject | undefined): string | null {
  if (sliver === undefined) return 'its sliver was removed'
  const { state, actual } = sliver
  if (state !== 'started') return `its sliver is ${state}`
  const startedOn = actual?.started_on ?? null
  // By the node's clock, which is the sliver's; the run's start is known to the second.
  const isAnew = startedOn !== null && Date.parse(startedOn) / 1000 > startedS + 1
  return isAnew ? `its sliver was started anew at ${startedOn}` : null
}
