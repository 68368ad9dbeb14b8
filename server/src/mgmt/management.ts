import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { LabError, messageOf, serverTincName, type EnrollmentAnswer } from '@community-lab/contract'
import { ensureTincKey } from '@community-lab/contract/host'
import fp from 'fastify-plugin'
import '../decorations.ts'
import { maxReloadedHosts, type GatewayEvent, type GatewayStatus } from '../gateway/protocol.ts'
import { connectGateway } from './gateway-client.ts'
import { createHostQueue } from './host-queue.ts'
import { createIncidentReporter } from './incident.ts'
import { writeHosts, writeNetwork } from './tinc-folder.ts'

/** Options of {@link managementPlugin}. */
export interface ManagementOptions {
  /** The server's data folder. The gateway reads its subfolder `tinc/`. */
  readonly dataDir: string
  /** The testbed's /48 prefix. */
  readonly prefix: string
  readonly gatewaySocket: string
  /** The address of the server's tinc in the community network. */
  readonly tincAddress: string
  readonly tincPort: number
}

/** The server's end of the management network, as `app.management`. */
export interface Management {
  /** Return what a node needs to connect, for the answer to its enrolment. */
  serverTincHost(): EnrollmentAnswer['server']['tinc']
  /** Tell whether the network works, and if not, why. */
  health(): { readonly ok: boolean; readonly detail?: string }
  /** List the connected hosts, by tinc name. */
  hostsUp(): readonly string[]
  /** Settles when the gateway has the current hosts of the registry, and also when that fails. After a failure it is tried again automatically. */
  updated(): Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly management: Management
  }
}

const retryAfterMs = 1_000

/**
 * The server's side of the management network: its key, a host file for each machine that may join, and updates of the gateway after each change. Needs
 * `app.registry`. The server also works without a gateway: its health then says what is missing, and the gateway is updated when it connects.
 */
export const managementPlugin = fp<ManagementOptions>(
  async (app, options) => {
    const tincDir = join(options.dataDir, 'tinc')
    const { pubkey } = await ensureTincKey(tincDir)
    await mkdir(join(tincDir, 'hosts'), { recursive: true, mode: 0o700 })
    const name = serverTincName()
    await writeNetwork(tincDir, { name, prefix: options.prefix, port: options.tincPort })

    const ending = new AbortController()
    const { signal } = ending
    const report = createIncidentReporter({
      registry: app.registry,
      nowMs: () => performance.now(),
    })
    const hostsUp = new Set<string>()
    let status: GatewayStatus | null = null
    let trouble: string | null = 'the gateway has not answered yet'

    function noteStatus(answer: GatewayStatus): void {
      status = answer
      trouble = null
      if (answer.hosts_up === undefined) return
      hostsUp.clear()
      for (const host of answer.hosts_up) hostsUp.add(host)
    }

    function noteEvent(event: GatewayEvent): void {
      if (event.event === 'host_up') hostsUp.add(event.name)
      else if (event.event === 'host_down') hostsUp.delete(event.name)
      else if (event.event === 'ready' && status) {
        status = { ...status, state: 'running', pid: event.pid }
      } else if (event.event === 'exit' && status) {
        status = { ...status, state: 'restarting', pid: null, detail: event.reason }
        hostsUp.clear()
      }
      report(event).catch((error: unknown) =>
        app.log.error({ err: error }, 'incident not reported'),
      )
    }

    const gateway = connectGateway({
      socket: options.gatewaySocket,
      onConnected() {
        announced.addAll()
        update()
      },
      onEvent: noteEvent,
      onLost: (reason) => {
        if (!signal.aborted) app.log.warn({ reason }, 'no gateway')
        trouble = `no gateway: ${reason}`
        status = null
        hostsUp.clear()
      },
      signal,
    })

    // The hosts whose files must be written, and the hosts whose files the gateway must read. All hosts, as long as the differences are not known.
    const written = createHostQueue()
    const announced = createHostQueue()

    async function updateOnce(): Promise<void> {
      await written.serve(async (names) => {
        const hosts = await app.registry.tincHosts(names)
        const left = await writeHosts(tincDir, hosts, names)
        if (left.length > 0) app.log.error({ hosts: left }, 'hosts that tinc cannot know')
        if (names === undefined) announced.addAll()
        else announced.add(names)
      })
      await announced.serve(async (hosts) => {
        const isLong = hosts === undefined || hosts.length > maxReloadedHosts
        const some = isLong ? {} : { hosts: [...hosts] }
        noteStatus(await gateway.ask({ do: 'reload', ...some }))
      })
    }

    // Changes that come while an update runs are served by another update after it.
    let running: Promise<void> | null = null
    let again = false
    const waiting: (() => void)[] = []
    function update(): void {
      if (running !== null) {
        again = true
        return
      }
      running = run()
    }
    async function run(): Promise<void> {
      do {
        again = false
        const served = waiting.splice(0)
        const settle = (): void => served.forEach((settleOne) => settleOne())
        await updateOnce().then(settle, async (error: unknown) => {
          settle()
          trouble = messageOf(error)
          // A gateway that is not connected is updated when it connects. After any other failure the update is tried again.
          if (LabError.is(error, 'LAB_GATEWAY_UNAVAILABLE') && !gateway.connected) return
          await delay(retryAfterMs, undefined, { signal }).catch(() => {
            // The signal was aborted: the loop's condition ends the loop.
          })
          again = true
        })
      } while (isWanted())
      // There is no `await` between the check above and this line, so no change can come in between and be left out.
      running = null
      // When the server stops before an update has run, the callers that wait for it are released.
      for (const settle of waiting.splice(0)) settle()
    }
    const isWanted = (): boolean => again && !signal.aborted

    function updated(): Promise<void> {
      const settled = Promise.withResolvers<undefined>()
      waiting.push(() => settled.resolve(undefined))
      update()
      return settled.promise
    }

    app.decorate('management', {
      serverTincHost: () => ({
        name,
        pubkey,
        addresses: [{ addr: options.tincAddress, port: options.tincPort }],
      }),
      health: () => describeHealth(status, trouble),
      hostsUp: () => [...hostsUp].sort(),
      updated,
    } satisfies Management)

    const unsubscribe = app.registry.onTincHostsChanged((names) => {
      written.add(names)
      update()
    })
    app.addHook('onReady', () => update())
    app.addHook('onClose', async () => {
      unsubscribe()
      ending.abort()
      await gateway.ended
      await running
    })
  },
  { name: 'management', fastify: '5.x' },
)

function describeHealth(
  status: GatewayStatus | null,
  trouble: string | null,
): { ok: boolean; detail?: string } {
  if (trouble !== null || status === null) return { ok: false, detail: trouble ?? 'no gateway' }
  const refused = status.rejected.map((host) => `${host.file}: ${host.reason}`)
  const details = [
    ...(status.state === 'running' ? [] : [`the gateway is ${status.state}`]),
    ...(status.detail === null ? [] : [status.detail]),
    ...refused,
  ]
  const ok = status.state === 'running' && refused.length === 0
  return details.length === 0 ? { ok } : { ok, detail: details.join('; ') }
}
