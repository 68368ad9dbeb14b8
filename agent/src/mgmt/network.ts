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

/** The longest time that the agent's start waits for the interface, in milliseconds. It usually takes 300. */
const readyWithinMs = 3_000

/** Options of {@link startManagementNetwork}. */
export interface ManagementNetworkOptions {
  /** The node's tinc folder, for the agent alone. It contains the key of `ensureTincKey`. */
  readonly dir: string
  readonly nodeId: number
  /** The testbed's /48 prefix. */
  readonly prefix: string
  readonly server: Identity['server']
  readonly device: 'auto' | 'tun' | 'raw_socket'
  /** Called with each line of tincd's log. */
  readonly onLine?: (line: string) => void
  /** Ends the network, like `stop()`. */
  readonly signal: AbortSignal
}

/** Tells whether the server is connected. */
export type ManagementState = 'up' | 'down'

/** A node's end of the management network. */
export interface ManagementNetwork {
  /** The interface with the node's address and the route to the prefix. */
  readonly interface: string
  /** The node's management address. */
  readonly address: string
  /** tincd's pid; null while it does not run. */
  readonly pid: number | null
  readonly state: ManagementState
  /** Why tincd does not run properly; null while it does. It is restarted until it runs. */
  readonly problem: string | null
  /** Why there is no tun device; null when there is one. */
  readonly deviceDetail: string | null
  /** Note that the node's links, addresses or routes have changed. When the server is not connected, tincd tries it at once instead of after 5 s. */
  noteNetworkChange(): void
  /** Call the listener when the server is connected or disconnected. Returns the unsubscriber. */
  onChange(listener: (state: ManagementState) => void): () => void
  /** Call the listener when tincd has ended unexpectedly; it is restarted without further calls. Returns the unsubscriber. */
  onExit(listener: (reason: string) => void): () => void
  /** Stop tincd and remove the interface. A second call waits for the same end. */
  stop(): Promise<void>
}

/**
 * Join the management network: run tincd, with its interface, as a child that is restarted whenever it ends.
 *
 * A tincd that has outlived a killed agent has kept the slivers reachable. It is replaced, with 0.3 s without network, because nothing reads its log any more.
 * Resolves when the interface is up, or when tincd cannot be started or takes longer than 3 s: slivers do not wait for the network. {@link
 * ManagementNetwork.problem} and `onExit` report why tincd does not run. An abort throws the signal's reason.
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

  /** Write the folder and make the interface. A full disk or a missing key fails this start, not the agent. */
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
