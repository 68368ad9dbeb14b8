import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Credentials,
  isFailed,
  Node,
  routes,
  settledState,
  Sliver,
  type NodeState,
  type SliverState,
} from '@community-lab/contract'
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { createControlClient, type ControlClient } from '../../server/vct/src/control/client.ts'
import { ownPlace, ordinaryPlace, type Place } from './place.ts'
import { freePort } from './free-port.ts'
import { startTestbedProcess, type Ready } from './testbed-process.ts'

/** Options of {@link startTestbed}. */
export interface TestbedOptions {
  readonly nodes: number
  /** Settings of all agents, as environment variables. */
  readonly agentEnv?: Readonly<Record<string, string>>
  /** Settings of the server, as environment variables. */
  readonly serverEnv?: Readonly<Record<string, string>>
  /** The user who runs it; default: the user who runs the tests. */
  readonly as?: TestbedKind
}

/** The users who can run a testbed: root, or an ordinary user, whom root creates for the test. Without root, only an ordinary user. */
export const testbedKinds =
  process.getuid?.() === 0 ? (['root', 'ordinary user'] as const) : (['ordinary user'] as const)
export type TestbedKind = (typeof testbedKinds)[number]

/** A running virtual testbed, until it is disposed of. */
export interface RunningTestbed extends AsyncDisposable {
  /** The credentials of a researcher. */
  readonly credentials: Credentials
  readonly operator: Credentials
  readonly control: ControlClient
  readonly home: string
  readonly ready: Ready
  /** The pid of a process in the network namespace of the server. */
  readonly podPid: number
  /** The pid of the launcher, which ends with the testbed. */
  readonly launcherPid: number
  /** Wait until every node is in production and every sliver has reached its target state. */
  settled(): Promise<void>
  /** Wait until a sliver has this state. */
  sliverIs(id: string, state: SliverState): Promise<void>
  /** Wait until a node has this state. */
  nodeIs(name: string, state: NodeState): Promise<void>
  /** Read the log of one of its parts: `server`, `n1`, `vct`. */
  log(name: string): Promise<string>
  /** End it like Ctrl-C, and keep its folder, so that a testbed can be started in it again. */
  stop(): Promise<void>
}

/** Start a virtual testbed in a new folder, at a free port. */
export async function startTestbed(options: TestbedOptions): Promise<RunningTestbed> {
  const place = options.as === 'ordinary user' ? await ordinaryPlace() : ownPlace()
  const home = await mkdtemp(place.homePrefix)
  await place.own(home)
  try {
    return await startIn({ home, place, options })
  } catch (error) {
    await place.remove(home)
    throw error
  }
}

interface Where {
  readonly home: string
  readonly place: Place
  readonly options: TestbedOptions
}

async function startIn({ home, place, options }: Where): Promise<RunningTestbed> {
  const port = await freePort()
  const env = { ...options.agentEnv, ...options.serverEnv }
  const started = await startTestbedProcess({ place, home, nodes: options.nodes, port, env })
  const { ready } = started
  const credentials = await readJson(Credentials, ready.credentialsFile)
  const operator = await readJson(Credentials, ready.operatorCredentialsFile)
  const { url, token } = operator
  const ask = async <S extends TSchema>(schema: S, route: string): Promise<Static<S> | null> => {
    const answer = await fetch(url + route, { headers: { authorization: `Bearer ${token}` } })
    if (!answer.ok) return null
    const document: unknown = await answer.json()
    return Value.Check(schema, document) ? document : null
  }
  const isNode = async (isRight: (node: Node) => boolean): Promise<boolean> =>
    (await ask(Type.Array(Node), routes.nodes))?.every(isRight) ?? false
  return {
    credentials,
    operator,
    control: createControlClient(ready.vctSocket),
    home,
    ready,
    podPid: ready.podPid,
    launcherPid: started.pid,
    settled: () =>
      untilTrue(url, 'the testbed to settle', async () => {
        const nodes = await ask(Type.Array(Node), routes.nodes)
        const slivers = await ask(Type.Array(Sliver), routes.slivers)
        const lagging = [
          ...(nodes?.filter(({ state }) => state !== 'production') ?? ['the nodes']),
          ...(slivers?.filter((sliver) => !isSettled(sliver)) ?? ['the slivers']),
        ]
        return lagging.length === 0 || JSON.stringify(lagging)
      }),
    sliverIs: (id, state) =>
      untilTrue(url, `sliver ${id} to be ${state}`, async () => {
        const slivers = await ask(Type.Array(Sliver), routes.slivers)
        return slivers?.find((sliver) => sliver.id === id)?.state === state
      }),
    nodeIs: (name, state) =>
      untilTrue(url, `${name} to be ${state}`, () =>
        isNode((node) => node.name !== name || node.state === state),
      ),
    log: (name) => readFile(join(home, 'logs', `${name}.log`), 'utf8'),
    stop: () => started.stop(),
    async [Symbol.asyncDispose]() {
      await started.stop()
      await place.remove(home)
    },
  }
}

function isSettled({ state, effective_set_state: wanted }: Sliver): boolean {
  return isFailed(state) || state === settledState(wanted)
}

async function readJson<S extends TSchema>(schema: S, file: string): Promise<Static<S>> {
  const document: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!Value.Check(schema, document)) throw new Error(`${file} is not what it should be`)
  return document
}

const patienceMs = 120_000

/** Returns true, or a text with the actual state. */
type Look = () => Promise<boolean | string>

/** Look at the beginning and after each change that the server reports, even if the server restarts meanwhile. */
async function untilTrue(url: string, what: string, look: Look): Promise<void> {
  const patience = AbortSignal.timeout(patienceMs)
  let last: boolean | string = false
  const lookAgain = async (): Promise<boolean> => (last = await look()) === true
  while (!patience.aborted) {
    const looked = await lookAtChanges(url, lookAgain, patience).catch((error: unknown) => {
      // The server is down for a moment, because these tests kill and restart it.
      if (patience.aborted || error instanceof TypeError) return false
      throw error
    })
    if (looked) return
    await delay(100)
  }
  throw new Error(`waited ${patienceMs / 1000} s for ${what}; last: ${last}`)
}

/** Tell whether `look` became true before the stream of changes ended. */
async function lookAtChanges(
  url: string,
  look: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  const stop = new AbortController()
  const changes = await fetch(url + routes.events, {
    headers: { accept: 'text/event-stream' },
    signal: AbortSignal.any([signal, stop.signal]),
  })
  const reader = changes.body?.getReader()
  try {
    do if (await look()) return true
    while ((await reader?.read())?.done === false)
    return false
  } finally {
    stop.abort()
  }
}
