import { setTimeout as delay } from 'node:timers/promises'
import { maybeCredentials, writeCredentials } from '../bootstrap/credentials.ts'
import { ensureNodes, bringIntoProduction } from '../bootstrap/nodes.ts'
import { readOperatorToken, refuseHopeless, waitForServer } from '../bootstrap/operator.ts'
import { ensureOperatorLogin, ensurePeople, findGroup, lenders } from '../bootstrap/people.ts'
import { createServerClient, type ServerClient } from '../bootstrap/server-client.ts'
import { ensureTemplate } from '../bootstrap/template.ts'
import { doStep, type StepLine } from '../progress.ts'
import { waitForRoutes } from '../network/router.ts'
import type { PodConfiguration } from './configuration.ts'
import type { Folders } from './folders.ts'
import { mountPod } from './mounts.ts'
import { bootstrapTokenFile, prepareServer } from './server-part.ts'
import { createNetwork, serverSocketInPod, type Testbed, type TestbedContext } from './testbed.ts'
import type { VirtualNode } from './virtual-node.ts'

/** The first start of PostgreSQL creates its data, which takes long on a small and busy machine. */
const serverWithinMs = 60_000
const productionWithinMs = 90_000
/**
 * tincd accepts few connections at once and delays the others for seconds. So this number of agents start together, and the next ones a second later.
 *
 * Source: runtime measurements, "Throttling incoming connections".
 */
const agentsAtOnce = 8
const betweenAgentsMs = 1_000

/** Options of {@link startUp}. */
export interface StartUpOptions {
  readonly say: (line: StepLine) => void
  readonly signal: AbortSignal
  /** Called when the network and its nodes exist. */
  readonly onNetwork: (testbed: Testbed) => void
}

/** Create the pod's folders. @throws {@link LabError} LAB_VCT_COMMAND_FAILED. */
export async function preparePod(
  configuration: PodConfiguration,
  folders: Folders,
  signal: AbortSignal,
): Promise<void> {
  const { app, home, node, hasManyUids } = configuration
  await prepareServer(folders, hasManyUids)
  await mountPod({ app, home, node, run: folders.run, stage: folders.stage }, signal)
}

/** Start everything, and return when all nodes are in production. @throws {@link LabError} the error of the step that failed. */
export async function startUp(context: TestbedContext, options: StartUpOptions): Promise<Testbed> {
  const { configuration, server } = context
  const { say, signal } = options
  const client = createServerClient(serverSocketInPod)
  const since = new Date()
  const [testbed, operator] = await Promise.all([
    doStep(say, 'network', async () => {
      const made = await createNetwork(context, signal)
      // They can work before they need the server, and connect as soon as it runs.
      const known = made.nodes.filter(({ isEnrolled }) => isEnrolled)
      await Promise.all([startAgents(known, signal), waitForRoutes(context.topology, signal)])
      return made
    }),
    doStep(say, 'server', async () => {
      await Promise.all([server.gateway.start(signal), server.server.start(signal)])
      const parts = [server.server, server.gateway]
      await waitForServer({ client, parts, signal, timeoutMs: serverWithinMs })
      return becomeOperator(context, client, signal)
    }),
  ])
  options.onNetwork(testbed)
  await doStep(say, 'template', (note) =>
    ensureTemplate(operator, configuration.template, signal).then(note),
  )
  await doStep(say, 'nodes', async (note) => {
    const { id: groupId } = await findGroup(operator, lenders, signal)
    await ensureNodes(operator, testbed.nodes, { groupId, signal })
    // Skip those that run already.
    await startAgents(
      testbed.nodes.filter(({ agent }) => !agent.isWanted),
      signal,
    )
    await bringIntoProduction(operator, {
      nodes: testbed.nodes,
      since,
      note,
      check: () => testbed.nodes.forEach(({ agent }) => refuseHopeless(agent)),
      signal,
      timeoutMs: productionWithinMs,
    })
  })
  return testbed
}

/** Create a client of the server with the operator's token. This also writes the credentials files. */
async function becomeOperator(
  { configuration: { url }, folders }: TestbedContext,
  client: ServerClient,
  signal: AbortSignal,
): Promise<ServerClient> {
  const kept = await maybeCredentials(folders.operatorCredentials)
  const token = kept?.token ?? (await readOperatorToken(folders.serverData, bootstrapTokenFile))
  const operator = client.withToken(token)
  const own = await ensureOperatorLogin(operator, folders.operatorCredentials, signal)
  const common = { url, vct_socket: folders.vctSocket }
  await writeCredentials(folders.operatorCredentials, { ...common, token, ...own })
  const logins = await ensurePeople(operator, folders, signal)
  for (const file of ['credentials', 'studentCredentials', 'ownerCredentials'] as const) {
    const { username, password, token: its } = logins[file]
    await writeCredentials(folders[file], { ...common, token: its, username, password })
  }
  return operator
}

async function startAgents(nodes: readonly VirtualNode[], signal: AbortSignal): Promise<void> {
  for (let from = 0; from < nodes.length; from += agentsAtOnce) {
    if (from > 0) await delay(betweenAgentsMs, undefined, { signal })
    const some = nodes.slice(from, from + agentsAtOnce)
    await Promise.all(some.map((node) => node.startAgent(signal)))
  }
}
