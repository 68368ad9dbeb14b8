import { mkdir } from 'node:fs/promises'
import { machine } from 'node:os'
import { join } from 'node:path'
import {
  archOf,
  lendsAll,
  maxSliversPerNode,
  type Capabilities,
  type MemberError,
} from '@community-lab/contract'
import { removeHalfWritten } from '@community-lab/contract/host'
import { askChrony } from './clock/chrony.ts'
import { openNodeClock } from './clock/node-clock.ts'
import { hostClocks, virtualClocks } from './clock/source.ts'
import { writeSteadyFile } from './clock/steady-file.ts'
import type { AgentConfiguration } from './config.ts'
import { identify, tincFolder } from './identify.ts'
import { holdFolder } from './lock.ts'
import { systemClock } from './loop/clock.ts'
import type { Log } from './loop/log.ts'
import { createLoop } from './loop/loop.ts'
import { openLoopStore } from './loop/store.ts'
import { createLineChecks, createUplink } from './measurement/measurement.ts'
import {
  catcherFolder,
  collect,
  measureFolder,
  openMeasuring,
  samplesDisk,
} from './measurement/measuring.ts'
import { currentBoot } from './measurement/catcher/stream-folder.ts'
import type { Identity } from './mgmt/identity.ts'
import { startManagementNetwork, type ManagementNetwork } from './mgmt/network.ts'
import { watchOwner } from './owner/setting.ts'
import { createLending } from './plan/lending.ts'
import { createNodeProblems } from './report/problems.ts'
import { limitOffer, limitTo, offerResources, readHostResources } from './report/resources.ts'
import { openRuns } from './run/node-runs.ts'
import { createServerClient, type ServerClient } from './server/client.ts'
import { rebootWith } from './reboot.ts'
import { openSlivers } from './sliver/node-slivers.ts'
import { version } from './version.ts'

/** Options of {@link runAgent}. */
export interface AgentOptions {
  readonly configuration: AgentConfiguration
  readonly log: Log
  /** Ends the agent. Slivers, and the catcher of their samples, continue to run. */
  readonly signal: AbortSignal
}

/**
 * Run this node's agent until the signal is aborted: identify the node, join the management network, open the slivers, measure, and run the loop that brings
 * the node to its target state. Everything is ended in the opposite order.
 *
 * @throws {@link LabError} when it cannot start, or cannot go on.
 */
export async function runAgent({ configuration, log, signal }: AgentOptions): Promise<void> {
  const { dataDir, tincDevice } = configuration
  // Slivers run as other users, and their root file systems lie below this folder.
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  await using ending = new AsyncDisposableStack()
  const lock = await holdFolder(dataDir)
  ending.defer(() => lock.release())
  for (const dir of [dataDir, tincFolder(dataDir)]) {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await removeHalfWritten(dir)
  }
  const { identity, isNew } = await identify(configuration, archOf(process.arch, machine()), signal)
  log.info({ node: identity.node.name, id: identity.node.id, isNew }, 'this node is known')
  const network = await startManagementNetwork({
    dir: tincFolder(dataDir),
    nodeId: identity.node.id,
    prefix: identity.mgmt_ipv6_prefix,
    server: identity.server,
    device: tincDevice,
    onLine: (line) => log.debug({ line }, 'tincd says'),
    // Not the signal of the agent: the network ends last, by `stop`.
    signal: new AbortController().signal,
  })
  ending.defer(() => network.stop())
  const client = createServerClient({
    url: identity.server.url,
    certificateSha256: identity.server.certificate_sha256,
    token: identity.token,
    nodeId: identity.node.id,
  })
  ending.defer(() => client.close())
  await work({ configuration, log, signal }, { identity, network, client })
}

interface Connected {
  readonly identity: Identity
  readonly network: ManagementNetwork
  readonly client: ServerClient
}

/** Run the part of the agent that needs the node's identity and its management network. */
async function work(
  { configuration, log, signal }: AgentOptions,
  { identity, network, client }: Connected,
): Promise<void> {
  const { dataDir, publicPrefix, pollS, healthIntervalS, babelSocket, hints } = configuration
  await using ending = new AsyncDisposableStack()
  const problems = createNodeProblems()
  const checks = createLineChecks()
  const measuring = await openMeasuring(dataDir, { log, problems, checks })
  const { spool } = measuring
  ending.defer(() => spool.close())
  ending.defer(() => measuring.stop())
  const boot = currentBoot()
  const { clockFile } = configuration
  // It is opened before any catcher is started, so that both have the same time.
  const clocks = clockFile === null ? hostClocks : virtualClocks(clockFile)
  const nodeClock = openNodeClock({
    source: clocks,
    bootId: boot,
    spool,
    problems,
    // The chronyd of the host knows nothing of the clock of a virtual node.
    askUtc: clockFile === null ? (aborted) => askChrony(aborted) : undefined,
    tellCatcher: (baseUs, rate) => writeSteadyFile(catcherFolder(dataDir), { boot, baseUs, rate }),
  })
  let reportSoon = (): void => undefined
  const readDeviceOffer = async () =>
    offerResources(limitTo(await readHostResources(dataDir), configuration.lends))
  const lending = createLending({
    device: {
      ...lendsAll,
      slivers: configuration.lendsSlivers,
      rate_mbps: configuration.lendsMbps,
      interfaces: configuration.lendsInterfaces,
      hours: configuration.lendsHours,
    },
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    now: () => new Date(),
  })
  const slivers = await openSlivers({
    dataDir,
    nodeId: identity.node.id,
    nodeName: identity.node.name,
    publicPrefix,
    wantedRuntime: configuration.runtime,
    cgroupParent: configuration.cgroupParent,
    lendsMbps: configuration.lendsMbps,
    nrOnHost: configuration.nrOnHost,
    mgmtPrefix: identity.mgmt_ipv6_prefix,
    mgmtInterface: network.interface,
    readOffer: async () => limitOffer(await readDeviceOffer(), lending.amounts),
    mostSlivers: () => lending.amounts.slivers ?? maxSliversPerNode,
    samplesDisk,
    problems,
    fetchImage: (uri, aborted) => client.fetchImage(uri, aborted),
    fetchFrom: (uri, fromByte, aborted) => client.fetchFrom(uri, fromByte, aborted),
    prepareMeasuring: (id, dir) => measuring.prepare(id, dir),
    endMeasuring: (id) => measuring.end(id),
    onProblem: (id, error) => log.error({ err: error, sliver: id }, 'a sliver has trouble'),
    onFinding(part, { message }) {
      log.warn({ part, found: message }, 'something on this host was changed')
      reportSoon()
    },
    onCapabilities: () => reportSoon(),
    onNetworkChange: () => network.noteNetworkChange(),
    onUpkeepError: (part, error) =>
      log.error({ err: error, part }, 'something on this host cannot be looked after'),
    signal,
  })
  ending.defer(() => slivers.close())
  // Slivers report changes of the network. It may have changed before they were open.
  network.noteNetworkChange()

  const { deviceDetail } = network
  const readCapabilities = (): Capabilities => {
    const lacks = [...slivers.capabilities.lacks, ...(deviceDetail === null ? [] : [deviceDetail])]
    return { ...slivers.capabilities, lacks }
  }
  const owner = await watchOwner(dataDir)
  ending.defer(() => owner.close())
  const runs = await openRuns({
    dir: join(dataDir, 'runs'),
    slivers,
    spool,
    appendAfter: measuring.appendAfter,
    measureDir: (id) => measureFolder(dataDir, id),
    checks,
    problems,
    clock: systemClock,
    dateMs: () => clocks.wallUs() / 1000,
    serverClock: nodeClock,
    log,
    onChange: () => reportSoon(),
  })
  const loop = await createLoop({
    server: client,
    owner,
    poll: (has) => uplink.poll(has),
    slivers,
    runs,
    store: await openLoopStore(dataDir, problems),
    facts: {
      softVersion: version,
      arch: archOf(process.arch, machine()),
      publicPrefix,
      get capabilities() {
        return readCapabilities()
      },
    },
    identity: { id: identity.node.id, mgmtPrefix: identity.mgmt_ipv6_prefix },
    readOffer: readDeviceOffer,
    lending,
    problems,
    readErrors: () => [...slivers.problems, ...networkErrors(network)],
    reboot: rebootWith(configuration.rebootCommand),
    pollMs: pollS * 1000,
    clock: systemClock,
    log,
  })
  reportSoon = () => loop.reportSoon()
  const uplink = createUplink({
    spool,
    softVersion: version,
    openStream: (aborted) => client.openStream(aborted),
    onChanged: () => {
      if (hints) loop.hint()
    },
    onConnected() {
      log.info({}, "the node's stream is open")
      if (hints) loop.hint()
    },
    onDisconnected: (error) => log.info({ err: error }, "the node's stream is not open"),
    clock: nodeClock,
    signal,
  })
  ending.defer(() => uplink.close())
  ending.defer(followNetwork(network, [loop, uplink], log))
  ending.defer(network.onExit(() => loop.reportSoon()))
  const { runtime, limits, lacks } = readCapabilities()
  log.info({ version, address: network.address, runtime, limits, lacks }, 'ready')

  // When one of the two fails, the other is ended.
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const intervalMs = healthIntervalS * 1000
  const parts = [
    loop.run(either),
    runs.run(either),
    nodeClock.run(either),
    // This runs beside the loop, so that a catcher that does not answer delays nothing else.
    measuring.keep(slivers, either),
    collect({ spool, slivers, dataDir, intervalMs, babelSocket, log, signal: either }),
  ]
  try {
    await Promise.all(parts)
  } finally {
    failed.abort()
    await Promise.allSettled(parts)
  }
}

function networkErrors({ problem }: ManagementNetwork): readonly MemberError[] {
  return problem === null ? [] : [{ member: '/mgmt_net', message: problem }]
}

/** Poll and connect as soon as the server can be reached again, and log changes of the management network. Returns the unsubscriber. */
function followNetwork(
  network: ManagementNetwork,
  waiting: readonly { noteReachable(): void }[],
  log: Log,
): () => void {
  const stops = [
    network.onChange((state) => {
      log.info({ state }, 'the management network has changed')
      if (state === 'up') for (const one of waiting) one.noteReachable()
    }),
    network.onExit((reason) => log.warn({ reason }, 'tincd has ended; it is started again')),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
