import { LabError } from '@community-lab/contract'
import { joinSignals, sleep } from '../wait/signal.ts'
import { authenticationFailed, connectSsh, type SshConnection } from './connection.ts'
import { openTunnel } from './tunnel.ts'

/** A sliver to connect to. */
export interface SshTarget {
  readonly id: string
  readonly node: string
  readonly state: string
  readonly hostKey: string | null
  /** When it was started last; null before. A sliver keeps its host key over restarts, its connections it does not. */
  readonly startedOn: string | null
}

/** Options of {@link createSshPool}. */
export interface SshPoolOptions {
  readonly url: string
  readonly headers: () => Readonly<Record<string, string>>
  readonly privateKey: string
  /** Makes sure that the server knows our key. True: it has only just been told, and slivers may still have to learn it. */
  readonly registerKey: () => Promise<boolean>
  readonly signal: AbortSignal
}

/** Keeps one connection open to each sliver that was used. */
export interface SshPool {
  connect(target: SshTarget, signal: AbortSignal): Promise<SshConnection>
  /** Close the connections to these slivers. */
  drop(sliverIds: readonly string[]): void
  close(): void
}

/** How long a sliver may take to learn a key that is new, in milliseconds. */
const keyTravelMs = 20_000
const keyRetryMs = 500

/** Create a pool. Commands to one sliver share its connection; a connection that ended is made anew by the next command. */
export function createSshPool(options: SshPoolOptions): SshPool {
  const connections = new Map<string, { life: string; made: Promise<SshConnection> }>()

  async function dial(target: SshTarget, hostKey: string): Promise<SshConnection> {
    const isNew = await options.registerKey()
    const deadline = performance.now() + keyTravelMs
    for (;;) {
      try {
        const sock = await openTunnel({
          url: options.url,
          sliverId: target.id,
          headers: options.headers(),
          signal: options.signal,
        })
        return await connectSsh(sock, {
          sliver: target.id,
          node: target.node,
          hostKey,
          privateKey: options.privateKey,
          signal: options.signal,
        })
      } catch (error) {
        const refused =
          LabError.is(error, 'LAB_SSH_FAILED') && error.details.reason === authenticationFailed
        if (!refused || !isNew || performance.now() > deadline) throw error
        await sleep(keyRetryMs, options.signal)
      }
    }
  }

  function connect(target: SshTarget): Promise<SshConnection> {
    const { id, state, hostKey, startedOn } = target
    if (hostKey === null)
      return Promise.reject(new LabError('LAB_SLIVER_NOT_STARTED', { sliver: id, state }))
    const known = connections.get(id)
    // What is left of a connection to a sliver that was made or started anew leads nowhere.
    const life = `${hostKey} ${startedOn ?? ''}`
    if (known?.life === life) return known.made
    drop([id])
    const entry = { life, made: dial(target, hostKey) }
    connections.set(id, entry)
    const forget = (): void => {
      if (connections.get(id) === entry) connections.delete(id)
    }
    entry.made.then((connection) => connection.onEnd(forget), forget)
    return entry.made
  }

  function drop(sliverIds: readonly string[]): void {
    for (const id of sliverIds) {
      const entry = connections.get(id)
      connections.delete(id)
      // One that was never made has nothing to close.
      entry?.made.then(
        (connection) => connection.close(),
        () => undefined,
      )
    }
  }

  return {
    async connect(target, signal) {
      const wait = joinSignals(signal, options.signal)
      wait.throwIfAborted()
      return connect(target)
    },
    drop,
    close: () => drop([...connections.keys()]),
  }
}
