import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What a process of simulated nodes is asked. */
export type FleetAsk =
  | {
      readonly do: 'connect'
      readonly url: string
      readonly certificateSha256: string
      readonly firstId: number
      readonly lastId: number
    }
  | { readonly do: 'begin' | 'count' | 'end' }

/** What it tells. Times are of the machine's monotonic clock, in nanoseconds. */
export type FleetTold =
  | { readonly what: 'connected' }
  | { readonly what: 'hint'; readonly id: number; readonly atNs: string }
  | ({ readonly what: 'count' } & FleetCount)

/** What all simulated nodes have met until now. */
export interface FleetCount {
  /** Samples that the server has acknowledged. */
  readonly acknowledged: number
  /** Requests that failed and streams that broke; an agent tries again, and so do these nodes. */
  readonly troubles: number
}

/** Options of {@link startFleet}. */
export interface FleetOptions {
  readonly url: string
  readonly certificateSha256: string
  /** Nodes 1 to this one. */
  readonly size: number
}

/** Simulated nodes, connected, in processes of their own. */
export interface Fleet extends AsyncDisposable {
  /** Have them measure and poll. */
  begin(): void
  /** Settles with when the node had its next hint, in nanoseconds of the monotonic clock. */
  hinted(id: number): Promise<bigint>
  count(): Promise<FleetCount>
}

const nodesPerProcess = 2_500

/** Start the processes, and connect every node. */
export async function startFleet({ url, certificateSha256, size }: FleetOptions): Promise<Fleet> {
  await using stack = new AsyncDisposableStack()
  const waiting = new Map<number, (atNs: bigint) => void>()
  const children: ChildProcess[] = []
  for (let firstId = 1; firstId <= size; firstId += nodesPerProcess) {
    const child = fork(join(import.meta.dirname, 'fleet-main.ts'))
    stack.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      ask(child, { do: 'end' })
      await ended
    })
    child.on('message', (told: FleetTold) => {
      if (told.what === 'hint') waiting.get(told.id)?.(BigInt(told.atNs))
    })
    children.push(child)
    const lastId = Math.min(size, firstId + nodesPerProcess - 1)
    ask(child, { do: 'connect', url, certificateSha256, firstId, lastId })
  }
  await Promise.all(children.map((child) => next(child, 'connected')))
  const held = stack.move()
  return {
    begin: () => children.forEach((child) => ask(child, { do: 'begin' })),
    hinted: (id) =>
      new Promise((resolve) => {
        waiting.set(id, (atNs) => {
          waiting.delete(id)
          resolve(atNs)
        })
      }),
    async count() {
      const counts = children.map(async (child) => {
        const counted = next(child, 'count')
        ask(child, { do: 'count' })
        return await counted
      })
      const all = await Promise.all(counts)
      return {
        acknowledged: all.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
        troubles: all.reduce((sum, { troubles }) => sum + troubles, 0),
      }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function ask(child: ChildProcess, message: FleetAsk): void {
  child.send(message)
}

/** The next message of a kind. Fails when the process ends before. */
function next<W extends FleetTold['what']>(
  child: ChildProcess,
  what: W,
): Promise<Extract<FleetTold, { what: W }>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`a process of simulated nodes ended with ${code}`))
    const onMessage = (told: FleetTold): void => {
      if (!isTold(told, what)) return
      child.off('message', onMessage).off('exit', onExit)
      resolve(told)
    }
    child.on('message', onMessage).once('exit', onExit)
  })
}

function isTold<W extends FleetTold['what']>(
  told: FleetTold,
  what: W,
): told is Extract<FleetTold, { what: W }> {
  return told.what === what
}
