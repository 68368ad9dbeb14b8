import { setTimeout as delay } from 'node:timers/promises'
import { LabError, nodeManagementAddress, type TincEvent } from '@community-lab/contract'
import {
  chooseDevice,
  ensureTincKey,
  makeInterface,
  removeInterface,
  stopLeftovers,
  superviseTincd,
} from '@community-lab/contract/host'
import type { Identity } from './identity.ts'
import { writeTincFolder } from './tinc-folder.ts'

/** How long the start of the agent waits for the interface, in milliseconds; it takes some 300. */
const readyWithinMs = 3_000

/** Options of {@link startManagementNetwork}. */
export interface ManagementNetworkOptions {
  /** The node's tinc folder, for the agent alone. The key of `ensureTincKey` is in it. */
  readonly dir: string
  readonly nodeId: number
  /** The testbed's /48. */
  readonly prefix: string
  readonly server: Identity['server']
  readonly device: 'auto' | 'tun' | 'raw_socket'
  /** Called with each line that tincd logs. */
  readonly onLine?: (line: string) => void
  /** Ends the network, like `stop()`. */
  readonly signal: AbortSignal
}

/** Whether the server is connected. */
export type ManagementState = 'up' | 'down'

/** A node's end of the management network. */
export interface ManagementNetwork {
  /** The interface that holds the node's address and the route to the prefix. */
  readonly interface: string
  /** The node's management address. */
  readonly address: string
  /** tincd's pid; null while none runs. */
  readonly pid: number | null
  readonly state: ManagementState
  /** Why tincd does not run as it should; null while it does. It is started again and again. */
  readonly problem: string | null
  /** Why there is no tun device; null when there is one. */
  readonly deviceDetail: string | null
  /** The node's links, addresses or routes have changed: a server that could not be reached is tried at once. tincd by itself would wait for 5 s. */
  noteNetworkChange(): void
  /** Call back when the server has become connected or not. Returns the unsubscriber. */
  onChange(listener: (state: ManagementState) => void): () => void
  /** Call back when tincd has ended without being asked to; it is started again by itself. Returns the unsubscriber. */
  onExit(listener: (reason: string) => void): () => void
  /** Stop tincd and remove the interface. Calling it again waits for the same end. */
  stop(): Promise<void>
}

/**
 * Join the management network: run tincd, with its interface, as a child that is started again whenever it ends.
 *
 * A tincd that outlived a killed agent has kept the slivers reachable until now; it is replaced (0.3 s without a network), because its log went with
 * its agent. Resolves when the interface is up, or when tincd cannot be started or takes longer than 3 s: slivers do not wait for the network.
 * What keeps it from running is told by {@link ManagementNetwork.problem} and `onExit`. An abort throws the signal's reason.
 */
export async function startManagementNetwork(
  options: ManagementNetworkOptions,
): Promise<ManagementNetwork> {
  const { dir, nodeId, prefix, server } = options
  const name = `clab-n${nodeId}`
  const address = nodeManagementAddress(prefix, nodeId)
  const { device, detail } = await chooseDevice(options.device)
  const changed = new Set<(state: ManagementState) => void>()
  const exited = new Set<(reason: string) => void>()
  const ready = Promise.withResolvers<null>()
  const ending = new AbortController()
  let state: ManagementState = 'down'
  let problem: string | null = null
  let isPrepared = false

  /** A full disk or a missing key fails one start, not the agent. */
  async function prepare(): Promise<void> {
    if (!isPrepared) {
      await stopLeftovers(dir)
      const { pubkey } = await ensureTincKey(dir)
      await writeTincFolder(dir, { nodeId, prefix, server, pubkey, interface: name, device })
      isPrepared = true
    }
    await makeInterface(device, { interface: name, address, prefix })
  }

  function setState(next: ManagementState): void {
    if (next === state) return
    state = next
    for (const listener of changed) listener(next)
  }

  function fail(reason: string): void {
    problem = new LabError('LAB_TINC_FAILED', { what: `node ${nodeId}`, reason }).message
    ready.resolve(null)
  }

  function noteEvent(event: TincEvent): void {
    if (event.kind === 'script_failed' && event.script === 'tinc-up')
      fail(`tinc-up ${event.reason}`)
    else if (event.kind === 'ready') {
      problem = null
      ready.resolve(null)
    } else if (event.kind === 'host_up' && event.name === server.tinc.name) setState('up')
    else if (event.kind === 'host_down' && event.name === server.tinc.name) setState('down')
  }

  function noteExit(reason: string): void {
    fail(reason)
    setState('down')
    for (const listener of exited) listener(reason)
  }

  const tincd = superviseTincd({
    dir,
    prepare,
    onEvent: noteEvent,
    onExit: noteExit,
    onLine: options.onLine ?? (() => undefined),
    signal: ending.signal,
  })
  const gone = tincd.ended.then(async () => {
    setState('down')
    options.signal.removeEventListener('abort', abort)
    await removeInterface(device, name)
  })
  const stop = (): Promise<void> => {
    ending.abort()
    return gone
  }
  const abort = (): void => {
    ready.reject(options.signal.reason)
    ending.abort()
  }
  options.signal.addEventListener('abort', abort, { once: true })
  try {
    options.signal.throwIfAborted()
    await Promise.race([ready.promise, delay(readyWithinMs, undefined, { ref: false })])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    interface: name,
    address,
    deviceDetail: detail,
    get pid() {
      return tincd.pid
    },
    get state() {
      return state
    },
    get problem() {
      return problem
    },
    noteNetworkChange: () => tincd.noteNetworkChange(),
    onChange: (listener) => subscribe(changed, listener),
    onExit: (listener) => subscribe(exited, listener),
    stop,
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
