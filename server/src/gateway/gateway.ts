import { rm } from 'node:fs/promises'
import {
  createQueue,
  parseTincName,
  serverManagementAddress,
  type TincEvent,
} from '@community-lab/contract'
import type { Logger } from 'pino'
import type { GatewayConfiguration } from './config.ts'
import {
  chooseDevice,
  makeInterface,
  removeInterface,
  stopLeftovers,
  superviseTincd,
  type ChosenDevice,
  type SupervisedTincd,
} from '@community-lab/contract/host'
import type { GatewayEvent, GatewayStatus } from './protocol.ts'
import { gatewayInterface, makeRunFolder, writeRunFolder } from './run-folder.ts'
import { readSomeHosts, readTincSource, type TincSource } from './source-folder.ts'

/** Options of {@link startGateway}. */
export interface GatewayOptions {
  readonly configuration: GatewayConfiguration
  readonly log: Logger
  readonly onEvent: (event: GatewayEvent) => void
}

/** The privileged part of the server. It runs the server's end of the management network. */
export interface Gateway {
  /** Read the server's folder, or the files of some hosts, again, and update tincd. Calls run one after the other. Throws when the folder cannot be read. */
  reload(hosts?: readonly string[]): Promise<GatewayStatus>
  status(): GatewayStatus
  /** Stop tincd and remove the interface and the gateway's folder. */
  stop(): Promise<void>
}

/** Start the gateway. It stops a tincd that an earlier gateway has left running, and runs tincd as soon as the server's folder is complete. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { configuration, log, onEvent } = options
  const dir = configuration.runDir
  await makeRunFolder(dir)
  const stopped = await stopLeftovers(dir)
  if (stopped.length > 0) log.warn({ pids: stopped }, 'stopped a tincd left over')
  const chosen: ChosenDevice = await chooseDevice(configuration.device)
  log.info(chosen, 'tinc device')

  const abort = new AbortController()
  const hostsUp = new Set<string>()
  let source: TincSource | null = null
  let tincd: SupervisedTincd | null = null
  let state: GatewayStatus['state'] = 'waiting'
  let detail = chosen.detail
  /** Why the last attempt to read the folder failed; null when it succeeded. */
  let unread: string | null = null
  /** Whether tincd has read everything that was written. */
  let isTold = true

  async function prepare(): Promise<void> {
    if (source === null) return
    const { name, prefix } = source.network
    const address = serverManagementAddress(prefix, parseTincName(name)?.id)
    await makeInterface(chosen.device, { interface: gatewayInterface, address, prefix })
  }

  function noteEvent(event: TincEvent): void {
    if (event.kind === 'ready') {
      state = 'running'
      detail = chosen.detail
      onEvent({ event: 'ready', pid: tincd?.pid ?? 0 })
    } else if (event.kind === 'host_up' || event.kind === 'host_down') {
      if (event.kind === 'host_up') hostsUp.add(event.name)
      else hostsUp.delete(event.name)
      onEvent({ event: event.kind, name: event.name, address: event.address })
    } else if (event.kind === 'unauthorized_subnet') {
      const { name, address, subnet } = event
      onEvent({ event: 'unauthorized_subnet', name, address, subnet })
    } else if (event.kind === 'unknown_host') {
      onEvent({ event: 'unknown_host', name: event.name, address: event.address })
    } else if (event.kind === 'script_failed') {
      detail = `${event.script} ${event.reason}`
      log.error(event, 'a script of tincd failed')
    }
  }

  function noteExit(reason: string): void {
    state = 'restarting'
    detail = reason
    hostsUp.clear()
    log.error({ reason }, 'tincd ended')
    onEvent({ event: 'exit', reason })
  }

  async function refresh(hosts?: readonly string[]): Promise<GatewayStatus> {
    // Some hosts alone can be read only when all were read before.
    const among = source === null ? undefined : hosts
    const read =
      source === null || among === undefined
        ? await readTincSource(configuration.tincDir)
        : await readSomeHosts(configuration.tincDir, source, among)
    unread = typeof read === 'string' ? read : null
    if (typeof read === 'string') {
      // tincd goes on with the hosts that it has: a folder that cannot be read must not revoke them.
      detail = read
      log.warn({ reason: read }, 'the tinc folder cannot be used')
      return status()
    }
    source = read
    const wasTold = isTold
    isTold = false
    const written = await writeRunFolder(dir, read, { device: chosen.device, among })
    // After a write that failed halfway, it is not known what has changed.
    const change = wasTold ? written : 'daemon'
    log.info({ change, hosts: read.hosts.size, rejected: read.rejected, among }, 'tinc folder read')
    if (tincd === null) {
      state = 'starting'
      tincd = superviseTincd({
        dir,
        prepare,
        onEvent: noteEvent,
        onExit: noteExit,
        onLine: (line) => log.debug({ line }, 'tincd'),
        signal: abort.signal,
      })
    } else if (change === 'daemon') {
      state = 'starting'
      hostsUp.clear()
      tincd.restart()
    } else if (change === 'hosts') tincd.reload()
    isTold = true
    if (among === undefined) return status()
    const { hosts_up: _untold, ...rest } = status()
    return rest
  }

  function status(): GatewayStatus {
    return {
      state,
      device: chosen.device,
      detail,
      pid: tincd?.pid ?? null,
      interface: gatewayInterface,
      hosts: source?.hosts.size ?? 0,
      hosts_up: [...hostsUp].sort(),
      rejected: [...(source?.rejected ?? [])].slice(0, 100),
    }
  }

  const inOrder = createQueue()
  await inOrder(() => refresh())
  return {
    status,
    reload: (hosts) =>
      inOrder(async () => {
        const answer = await refresh(hosts)
        // The error makes the server ask again. Otherwise a node would stay whose revocation could not be read.
        if (unread !== null) throw new Error(unread)
        return answer
      }),
    async stop() {
      abort.abort()
      await inOrder(() => Promise.resolve())
      await tincd?.ended
      await removeInterface(chosen.device, gatewayInterface)
      await rm(dir, { recursive: true, force: true })
    },
  }
}
