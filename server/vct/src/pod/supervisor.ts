import { createQueue, type VctStatus } from '@community-lab/contract'
import { serveControl } from '../control/server.ts'
import { createActions, type Actions } from './actions.ts'
import type { PodLine } from './configuration.ts'
import { startUp } from './start-up.ts'
import {
  controlSocketInPod,
  describeTestbed,
  type Testbed,
  type TestbedContext,
} from './testbed.ts'

/** The most time for server and agents to write their data, in milliseconds. */
const graceMs = 8_000

/** Options of {@link runTestbed}. */
export interface SupervisorOptions {
  readonly say: (line: PodLine) => void
  /** Aborted to end the testbed properly. */
  readonly signal: AbortSignal
  /** Aborts the signal. */
  readonly stop: () => void
}

/**
 * Start a testbed, serve its control socket, and continue until the signal is aborted. Then let server and agents write their data. Actions that are requested
 * during the start wait for it.
 *
 * @throws {@link LabError} the error of the step that failed during the start.
 */
export async function runTestbed(
  context: TestbedContext,
  { say, signal, stop }: SupervisorOptions,
): Promise<void> {
  const startedOn = new Date()
  const started = Promise.withResolvers<Actions>()
  started.promise.catch(() => {
    // The process that started the supervisor reports the error.
  })
  let testbed: Testbed | null = null
  let state: VctStatus['state'] = 'starting'
  const act = queueActions(started.promise, signal)
  await serveControl(controlSocketInPod, {
    status: () =>
      describeTestbed(context, {
        state: signal.aborted ? 'stopping' : state,
        startedOn,
        testbed,
      }),
    node: (name, action) => act((actions) => actions.node(name, action)),
    setClock: (name, clock) => act((actions) => actions.setClock(name, clock)),
    link: (a, b, action) => act((actions) => actions.link(a, b, action)),
    server: (action) => act((actions) => actions.server(action)),
    stop,
  })
  try {
    const onNetwork = (made: Testbed): void => {
      testbed = made
    }
    started.resolve(
      createActions(context, await startUp(context, { say, signal, onNetwork }), signal),
    )
    state = 'running'
    say({ pod: 'running' })
    await onceAborted(signal)
  } catch (error) {
    started.reject(error)
    if (!signal.aborted) throw error
  } finally {
    await endInGoodOrder(context, testbed)
  }
}

/** Run one action after the other, and none after the end has begun. */
function queueActions(started: Promise<Actions>, signal: AbortSignal) {
  const inOrder = createQueue()
  return (what: (actions: Actions) => Promise<void>): Promise<void> =>
    inOrder(async () => {
      const actions = await started
      signal.throwIfAborted()
      await what(actions)
    })
}

/** Let server and agents write their data. The end of the pod kills all other processes. */
async function endInGoodOrder({ server }: TestbedContext, testbed: Testbed | null): Promise<void> {
  // Stop the server first, so that it can close the connections of nodes that still answer.
  await server.server.stop(graceMs)
  await Promise.all((testbed?.nodes ?? []).map((node) => node.stopAgent(graceMs)))
}

async function onceAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
