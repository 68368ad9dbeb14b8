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

/** How long server and agents may take to put their data away, in milliseconds. */
const graceMs = 8_000

/** Options of {@link runTestbed}. */
export interface SupervisorOptions {
  readonly say: (line: PodLine) => void
  /** Ends it in good order. */
  readonly signal: AbortSignal
  /** Aborts the signal. */
  readonly stop: () => void
}

/**
 * Start a testbed, serve its control socket, and stay until the signal is aborted; then have all data written. Actions asked for during start-up wait
 * for its end.
 *
 * @throws {@link LabError} what fails during start-up.
 */
export async function runTestbed(
  context: TestbedContext,
  { say, signal, stop }: SupervisorOptions,
): Promise<void> {
  const startedOn = new Date()
  const started = Promise.withResolvers<Actions>()
  started.promise.catch(() => {
    // Told by who started it.
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

/** One action after the other, and none once the end has begun. */
function queueActions(started: Promise<Actions>, signal: AbortSignal) {
  const inOrder = createQueue()
  return (what: (actions: Actions) => Promise<void>): Promise<void> =>
    inOrder(async () => {
      const actions = await started
      signal.throwIfAborted()
      await what(actions)
    })
}

/** Have data written; what runs after that ends with the pod. */
async function endInGoodOrder({ server }: TestbedContext, testbed: Testbed | null): Promise<void> {
  // The server first: it says goodbye to nodes that can still answer.
  await server.server.stop(graceMs)
  await Promise.all((testbed?.nodes ?? []).map((node) => node.stopAgent(graceMs)))
}

async function onceAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
