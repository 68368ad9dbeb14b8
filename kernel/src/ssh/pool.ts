import { backoffMs, LabError } from '@community-lab/contract'
import { anySignal, backoff, reasonOf, sleep } from '../wait/signal.ts'
import { authenticationFailed, connectSsh, type SshConnection } from './connection.ts'
import { SliverConnections, type Lease, type LeaseOptions } from './connections.ts'
import { openTunnel } from './tunnel.ts'

/** A sliver to connect to. */
export interface SshTarget {
  readonly id: string
  readonly node: string
  readonly state: string
  readonly hostKey: string | null
  /** When the sliver was last started; null before its first start. A restart keeps the host key but breaks connections. */
  readonly startedOn: string | null
}

/** Options of {@link createSshPool}. */
export interface SshPoolOptions {
  readonly url: string
  readonly headers: () => Readonly<Record<string, string>>
  readonly privateKey: string
  /** Make sure that the server has our key; see `Session.registerKey`. */
  readonly registerKey: (options?: { readonly isRefused: boolean }) => Promise<void>
  readonly signal: AbortSignal
}

/** Keeps connections to the slivers that were used. Callers share them: one that gives up waiting for a connection does not close it. */
export interface SshPool {
  /** Wait for a connection to a sliver for one command. @throws {@link LabError} LAB_SLIVER_NOT_STARTED, or the reason why there is no connection. */
  lease(target: SshTarget, options: LeaseOptions): Promise<Lease>
  /** Connect to a sliver in advance. Never rejects: the first command reports a failure. */
  warm(target: SshTarget): Promise<void>
  /** Close the connections to these slivers. */
  drop(sliverIds: readonly string[]): void
  close(): void
}

/** How long a sliver may take to receive our key, in milliseconds. The server does not say whether the key is new, so a refused key always waits for this. */
const keyTravelMs = 20_000
const keyRetryMs = 500
/** How many times a connection that breaks while it is opened is tried: SSH servers refuse some when many are opened at once. */
const attempts = 3

/** Create a pool. The next command replaces a connection that has ended. */
export function createSshPool(options: SshPoolOptions): SshPool {
  const slivers = new Map<string, { identity: string; connections: SliverConnections }>()

  async function dial(target: SshTarget, hostKey: string): Promise<SshConnection> {
    await options.registerKey()
    const deadline = performance.now() + keyTravelMs
    let wasRefused = false
    for (let attempt = 1; ;) {
      try {
        return await dialOnce(target, hostKey)
      } catch (error) {
        if (!LabError.is(error, 'LAB_SSH_FAILED')) throw error
        if (error.details.reason === authenticationFailed) {
          if (performance.now() > deadline) throw error
          if (!wasRefused) await options.registerKey({ isRefused: true })
          wasRefused = true
          await sleep(keyRetryMs, options.signal)
        } else {
          if (attempt === attempts) throw error
          await sleep(backoffMs(backoff, attempt), options.signal)
          attempt += 1
        }
      }
    }
  }

  async function dialOnce(target: SshTarget, hostKey: string): Promise<SshConnection> {
    const { id: sliver, node } = target
    const { url, privateKey, signal } = options
    const tunnel = { url, sliverId: sliver, headers: options.headers(), signal }
    const sock = await openTunnel(tunnel).catch((cause: unknown) => {
      if (!LabError.is(cause, 'LAB_NOT_FOUND')) throw cause
      throw new LabError('LAB_SLIVER_GONE', { sliver, node }, { cause })
    })
    return connectSsh(sock, { sliver, node, hostKey, privateKey, signal })
  }

  function connectionsOf(target: SshTarget): SliverConnections {
    const { id, node, state, hostKey, startedOn } = target
    if (hostKey === null) throw new LabError('LAB_SLIVER_NOT_STARTED', { sliver: id, state })
    // A connection to a sliver that was recreated or restarted since then is useless.
    const identity = `${hostKey} ${startedOn ?? ''}`
    const known = slivers.get(id)
    if (known?.identity === identity) return known.connections
    drop([id])
    const connections = new SliverConnections({
      sliver: id,
      node,
      dial: () => dial(target, hostKey),
    })
    slivers.set(id, { identity, connections })
    return connections
  }

  function drop(sliverIds: readonly string[]): void {
    for (const id of sliverIds) {
      slivers.get(id)?.connections.close(new DOMException('it was closed', 'AbortError'))
      slivers.delete(id)
    }
  }

  return {
    async lease(target, { signal, ...rest }) {
      if (options.signal.aborted) throw reasonOf(options.signal)
      const joined = anySignal(signal, options.signal)
      return await connectionsOf(target).lease({ ...rest, signal: joined })
    },
    async warm(target) {
      if (!options.signal.aborted && target.hostKey !== null) await connectionsOf(target).warm()
    },
    drop,
    close: () => drop([...slivers.keys()]),
  }
}
