import { createConnection, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The process that holds the lock of a home. */
const Holder = Type.Object({
  pid: Type.Integer({ minimum: 2 }),
  /** `sweeping`: it removes the leftovers of a killed testbed, and will soon release the lock. */
  state: Type.Enum(['running', 'sweeping'] as const),
  url: Type.String(),
})
export type Holder = Static<typeof Holder>

/** A lock that this process holds. It is released when this process ends in any way. */
export interface HomeLock extends AsyncDisposable {
  readonly holder: Holder
}

/** A lock that another process holds. */
export interface ForeignLock {
  readonly holder: Holder
  /** Settles when the holder has released the lock or ended. */
  readonly released: Promise<void>
  /** Stop watching. */
  close(): void
}

/** What the lock tells others about its holder. */
export interface LockOptions {
  readonly state: Holder['state']
  /** The URL of the testbed's server. */
  readonly url: string
}

/**
 * Take the lock of a home: a socket in the abstract namespace, which the kernel removes with its process. A client that connects is told who holds the lock,
 * and stays connected for as long as it is held. Waits while the holder is sweeping.
 *
 * @throws {@link LabError} LAB_VCT_RUNNING when a testbed holds it.
 */
export async function takeLock(
  { home, hash }: { readonly home: string; readonly hash: string },
  { state, url }: LockOptions,
): Promise<HomeLock> {
  const holder: Holder = { pid: process.pid, state, url }
  for (;;) {
    const lock = await tryLock(hash, holder)
    if (lock !== null) return lock
    const found = await findHolder(hash)
    // The lock was released between the two attempts.
    if (found === null) continue
    if (found.holder.state === 'sweeping') {
      await found.released
      continue
    }
    found.close()
    const { pid, url: foundUrl } = found.holder
    throw new LabError('LAB_VCT_RUNNING', { home, pid, url: foundUrl })
  }
}

/** Take the lock; null when another process has it. */
async function tryLock(hash: string, holder: Holder): Promise<HomeLock | null> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    client.write(`${JSON.stringify(holder)}\n`)
  })
  server.listen({ path: lockPath(hash) })
  try {
    await once(server, 'listening')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return null
    throw error
  }
  return {
    holder,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const client of clients) client.destroy()
      await closed
    },
  }
}

/** Find the holder of the lock of a home; null when nobody holds it. */
export async function findHolder(hash: string): Promise<ForeignLock | null> {
  const socket = createConnection({ path: lockPath(hash) })
  const told = Promise.withResolvers<string | null>()
  const released = Promise.withResolvers<undefined>()
  socket.once('data', (line: Buffer) => told.resolve(line.toString()))
  socket.on('error', () => {
    // Nobody listens, or the holder has just ended. `close` follows.
  })
  socket.on('close', () => {
    told.resolve(null)
    released.resolve(undefined)
  })
  const line = await told.promise
  if (line === null) return null
  const holder: unknown = JSON.parse(line)
  if (!Value.Check(Holder, holder)) {
    socket.destroy()
    throw new LabError('LAB_INTERNAL', { what: "the lock's holder does not tell who it is" })
  }
  socket.resume()
  return { holder, released: released.promise.then(() => undefined), close: () => socket.destroy() }
}

function lockPath(hash: string): string {
  return `\0community-lab-vct-${process.getuid?.() ?? 0}-${hash}`
}
