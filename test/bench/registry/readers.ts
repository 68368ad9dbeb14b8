import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What the process of the readers is asked. */
export type ReadersAsk =
  | { readonly do: 'connect'; readonly socketPath: string; readonly count: number }
  | { readonly do: 'tell' }

/** What it tells: that all readers are connected; when each reader had each change, in nanoseconds of the monotonic clock, by the number of the change. */
export type ReadersTold =
  | { readonly what: 'connected' }
  | { readonly what: 'changes'; readonly atNs: readonly (readonly [number, string])[] }

/** Readers of events, in a process of their own. */
export interface Readers extends AsyncDisposable {
  /** Return when each reader had each change, in nanoseconds of the monotonic clock, by the number of the change. */
  tell(): Promise<readonly (readonly [number, bigint])[]>
}

/** Connect so many readers of events. */
export async function startReaders(socketPath: string, count: number): Promise<Readers> {
  const child = fork(join(import.meta.dirname, 'readers-main.ts'))
  const ask = async (message: ReadersAsk): Promise<ReadersTold> => {
    const told = once(child, 'message')
    child.send(message)
    const [answer] = (await told) as [ReadersTold]
    return answer
  }
  await ask({ do: 'connect', socketPath, count })
  return {
    async tell() {
      const told = await ask({ do: 'tell' })
      if (told.what !== 'changes') throw new Error('the readers tell something else')
      return told.atNs.map(([change, atNs]) => [change, BigInt(atNs)] as const)
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
