import { availableParallelism, freemem } from 'node:os'
import { holdsTooMuch, pauseBetweenLooks, tcpPauseFactor } from './domain/socket-memory.ts'
import { createSocketMemory, type SocketOwner } from './host/socket-memory.ts'
import { createWatch, type Watch } from './host/watch.ts'
import type { RunningSlivers } from './lifecycle/running.ts'

/** Options of {@link watchSockets}. */
export interface SocketWatchOptions {
  readonly running: Pick<RunningSlivers, 'list' | 'killForSockets'>
  /** Called when the sockets of a sliver cannot be measured. */
  readonly onProblem: (id: string, error: unknown) => void
  readonly signal: AbortSignal
}

/**
 * Kill each sliver whose sockets hold more memory than it may have and that the kernel counts for nobody. The less memory is free on the node, the more often the
 * sockets are measured. See {@link pauseBetweenLooks}.
 */
export function watchSockets({ running, onProblem, signal }: SocketWatchOptions): Watch {
  const memory = createSocketMemory(() => performance.now())
  const cores = availableParallelism()
  // On Linux, `freemem` is MemAvailable: what programs can get without swapping.
  const pauseMs = (): number => pauseBetweenLooks(freemem(), cores)
  const measureTcp = (owner: SocketOwner): Promise<number> => memory.readTcp(owner, signal)

  function watch(
    measure: (owner: SocketOwner) => number | Promise<number>,
    pauseMs: () => number,
  ): Watch {
    return createWatch({
      watched: () => owners(running),
      isWell: async (owner) => !holdsTooMuch(await measure(owner), owner.limits),
      onUnwell: (id) => running.killForSockets(id, measure),
      onError: onProblem,
      pauseMs,
    })
  }

  const watches = [
    watch((owner) => memory.read(owner), pauseMs),
    watch(measureTcp, () => tcpPauseFactor * pauseMs()),
  ]
  return {
    async close() {
      await Promise.all(watches.map((one) => one.close()))
    },
  }
}

function owners({
  list,
}: Pick<RunningSlivers, 'list'>): readonly (readonly [string, SocketOwner])[] {
  return list().flatMap(({ id, process, limits }) =>
    process === null ? [] : [[id, { process, limits }] as const],
  )
}
