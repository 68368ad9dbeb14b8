import {
  LabError,
  Node as NodeObject,
  path,
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
  /** The time between two checks of the nodes, in milliseconds. */
  readonly lookMs: number
  /** The run gives up a part that has been silent for this long, in milliseconds; Infinity: never. */
  readonly silentMs: number
  /** How long the run waits for the last samples of a part whose sliver is gone, in milliseconds. */
  readonly lastSamplesMs: number
}

export const defaultPatience: Patience = {
  lookMs: 5_000,
  silentMs: 60_000,
  lastSamplesMs: 5_000,
}

/** Why the end of a part cannot be reported now. */
export interface Silence {
  readonly reason: string
  /** Whether the end is never reported, because the program has ended with its sliver. Otherwise the node may come back and report it. */
  readonly isFinal: boolean
}

/** The silent parts, by the ids of their slivers. */
export type Silences = ReadonlyMap<string, Silence>

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  readonly sliceId: number
  /** Return the parts that are still waited for. */
  waiting(): readonly RunPart[]
  /** Called with the silent parts after each check. */
  tell(silences: Silences): void
  readonly patience: Patience
  readonly signal: AbortSignal
}

/**
 * Watch the parts of a run that have not ended. A part is silent when its end cannot be reported: its node is off, or its sliver was stopped, removed or
 * started again. Resolves when the run gives up all of them, see {@link Patience}. Rejects with the signal's reason.
 *
 * @throws {@link LabError} when the server refuses to answer, such as LAB_AUTH_INVALID_TOKEN.
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
    // The server did not answer, so the state of the nodes is not known.
    if (silences === null) continue
    tell(silences)
    const now = performance.now()
    for (const { sliver } of parts) {
      if (!silences.has(sliver.id)) since.delete(sliver.id)
      else if (!since.has(sliver.id)) since.set(sliver.id, now)
    }
    const isOver = ({ sliver: { id } }: RunPart): boolean => {
      const patienceMs = silences.get(id)?.isFinal ? patience.lastSamplesMs : patience.silentMs
      return now - (since.get(id) ?? now) >= patienceMs
    }
    if (parts.length > 0 && parts.every(isOver)) return
  }
}

interface Look {
  readonly sliceId: number
  readonly parts: readonly RunPart[]
  readonly signal: AbortSignal
}

/** Find the parts whose end cannot be reported now. Returns null when the server does not answer. */
async function findSilences(session: Session, look: Look): Promise<Silences | null> {
  const { sliceId, parts, signal } = look
  try {
    const query = { '/state': JSON.stringify('offline') }
    const [nodes, slivers] = await Promise.all([
      session.http.ask(Type.Array(NodeObject), routes.nodes, { query, signal }),
      readSlivers(session, sliceId, signal),
    ])
    const isGone = slivers.length === 0 && (await isSliceGone(session, look))
    const offline = new Set(
      nodes.filter(({ state }) => state === 'offline').map(({ name }) => name),
    )
    const known = new Map(slivers.map((sliver) => [sliver.id, sliver]))
    return new Map(
      parts.flatMap((part) => {
        const { id, node } = part.sliver
        const silence = isGone ? sliceGone : silenceOf(part, known.get(id), offline.has(node))
        return silence === null ? [] : [[id, silence] as const]
      }),
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!LabError.is(error)) throw error
    // A single invalid answer, for example of a proxy, must not end a wait of days.
    if (error.retryable || error.code === 'LAB_RESPONSE_INVALID') return null
    throw error
  }
}

const sliceGone: Silence = { reason: 'its slice was released or has expired', isFinal: true }

async function isSliceGone({ http }: Session, { sliceId, signal }: Look): Promise<boolean> {
  try {
    await http.tell(path(routes.slice, { id: sliceId }), { signal })
    return false
  } catch (error) {
    if (LabError.is(error, 'LAB_NOT_FOUND')) return true
    throw error
  }
}

/** Return why the end of a part cannot be reported; null when it can. */
function silenceOf(
  part: RunPart,
  sliver: SliverObject | undefined,
  isOffline: boolean,
): Silence | null {
  if (sliver === undefined) return { reason: 'its sliver was removed', isFinal: true }
  const { state, actual } = sliver
  const startedOn = actual?.started_on ?? null
  if (startedOn !== null && isRestart(part, startedOn))
    return { reason: `its sliver was started again at ${startedOn}`, isFinal: true }
  if (isOffline) return { reason: 'its node is offline', isFinal: false }
  return state === 'started' ? null : { reason: `its sliver is ${state}`, isFinal: false }
}

/**
 * Tell whether a sliver was started again after a part of a run had begun. The node's clock alone cannot tell: after it is set back, an old start looks later
 * than the run, and a new start earlier. A start that differs from the one that the server said when the run began cannot tell either: the server may have
 * learnt of that start late.
 */
function isRestart({ startedS, sliverStartedOn }: RunPart, startedOn: string): boolean {
  const startMs = Date.parse(startedOn)
  // The run began within the second after this time.
  const runMs = startedS * 1000
  if (sliverStartedOn === null) return startMs > runMs + 1000
  // A start that the server learns of late is later than what it said before. An earlier one is a new start, by a clock that was set back.
  return startedOn !== sliverStartedOn && (startMs > runMs || startMs < Date.parse(sliverStartedOn))
}
