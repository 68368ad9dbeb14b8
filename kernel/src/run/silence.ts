import { LabError, Node as NodeObject, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'
import { readSlivers } from '../sliver/read-slivers.ts'
import { sleep } from '../wait/signal.ts'

/** How long a run waits for slivers from which nothing comes. */
export interface Patience {
  /** The time between two looks at the nodes, in milliseconds. */
  readonly lookMs: number
  /** The run gives up a sliver that has been silent for this long, in milliseconds; Infinity: never. */
  readonly silentMs: number
}

export const defaultPatience: Patience = { lookMs: 5_000, silentMs: 60_000 }

/** Why nothing comes from a sliver now, by its id. Its node may come back and report. */
export type Silences = ReadonlyMap<string, string>

/** A sliver that is waited for. */
export interface Waited {
  readonly sliver: string
  readonly node: string
}

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  readonly sliceId: number
  /** Return the slivers that are still waited for. */
  waiting(): readonly Waited[]
  /** Called with the silent ones after each look. */
  tell(silences: Silences): void
  readonly patience: Patience
  readonly signal: AbortSignal
}

/**
 * Watch slivers that are waited for. One is silent while its node is offline, or while it does not run. Resolves when all have been silent for the time of
 * {@link Patience}. Rejects with the signal's reason.
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
    const all = waiting()
    const silences = await findSilences(session, { sliceId, all, signal })
    // The server did not answer, so the state of the nodes is not known.
    if (silences === null) continue
    tell(silences)
    const now = performance.now()
    for (const { sliver } of all) {
      if (!silences.has(sliver)) since.delete(sliver)
      else if (!since.has(sliver)) since.set(sliver, now)
    }
    const isOver = ({ sliver }: Waited): boolean =>
      now - (since.get(sliver) ?? now) >= patience.silentMs
    if (all.length > 0 && all.every(isOver)) return
  }
}

interface Look {
  readonly sliceId: number
  readonly all: readonly Waited[]
  readonly signal: AbortSignal
}

/** Find the silent ones. Returns null when the server does not answer. */
async function findSilences(
  session: Session,
  { sliceId, all, signal }: Look,
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
    const states = new Map(slivers.map(({ id, state }) => [id, state]))
    return new Map(
      all.flatMap(({ sliver, node }): [string, string][] => {
        const state = states.get(sliver)
        if (offline.has(node)) return [[sliver, 'its node is offline']]
        if (state === undefined || state === 'started') return []
        return [[sliver, `its sliver is ${state}`]]
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
