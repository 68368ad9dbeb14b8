import type { MemberError } from '@community-lab/contract'
import { describeFault } from '../executor/fault.ts'
import { createExecutors } from '../executor/table.ts'
import { noteBoot } from '../plan/boot.ts'
import type { Current } from '../plan/plan.ts'
import { report, type NodeFacts, type ReportedResource } from '../report/report.ts'
import type { ServerClient } from '../server/client.ts'
import type { Slivers } from '../sliver/slivers.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { LoopStore } from './store.ts'
import { createPuller } from './puller.ts'
import { createReconciler } from './reconciler.ts'
import { createReporter } from './reporter.ts'

/** Options of {@link createLoop}. */
export interface LoopOptions {
  readonly server: Pick<ServerClient, 'getTarget' | 'putReport'>
  readonly slivers: Slivers
  readonly store: LoopStore
  readonly facts: NodeFacts
  readonly readResources: () => Promise<readonly ReportedResource[]>
  /** What is wrong with the node besides its slivers, now. */
  readonly readErrors: () => readonly MemberError[]
  /** Reboot the host: settles, if at all, when it cannot be rebooted. */
  readonly reboot: (signal: AbortSignal) => Promise<void>
  /** The longest time between two looks at what is wanted, in milliseconds. */
  readonly pollMs: number
  readonly clock: Clock
  readonly log: Log
}

/** The agent's loop: pull, plan, apply, report. */
export interface Loop {
  /** The server says that something has changed: pull now. */
  hint(): void
  /** The server can be reached again: pull now, over new connections. */
  noteReachable(): void
  /** Something of the node itself has changed: report it. */
  noteChange(): void
  /** Work until the signal ends it; steps under way are told to stop and waited for, slivers run on. */
  run(signal: AbortSignal): Promise<void>
}

/** Make the loop. What was last wanted is taken from disk and made so before the server is asked, for it may be away. */
export async function createLoop(options: LoopOptions): Promise<Loop> {
  const { server, slivers, store, clock, log, pollMs } = options
  let boot = await store.loadBoot()
  const known = await store.loadTarget()
  /** Why the host could not be rebooted when that was asked for last; told until it is asked for again. */
  let rebootFault: MemberError | null = null

  async function observe(): Promise<Current> {
    const found = await slivers.list()
    return { slivers: found, boot }
  }

  const executors = createExecutors({
    slivers,
    async reboot(bootSn, aborted) {
      // Noted first, so that it happens once. What a host that does not reboot still runs is started anew by the next steps.
      const noted = noteBoot(bootSn, await slivers.list())
      await store.saveBoot(noted)
      boot = noted
      rebootFault = null
      try {
        await options.reboot(aborted)
      } catch (error) {
        aborted.throwIfAborted()
        log.error(
          { err: error, bootSn },
          'this host cannot be rebooted; its slivers are started anew',
        )
        rebootFault = describeFault('reboot', error)
      }
    },
  })
  const reconciler = createReconciler({
    observe,
    executors,
    clock,
    log,
    onStep: () => reporter.noteStep(),
    onProgress: () => reporter.noteChange(),
  })
  const reporter = createReporter({
    async makeReport() {
      const [current, resources] = await Promise.all([observe(), options.readResources()])
      const { target, failures } = reconciler
      const errors = [...options.readErrors(), ...(rebootFault === null ? [] : [rebootFault])]
      return report({ facts: options.facts, target, current, failures, resources, errors })
    },
    putReport: (document, signal) => server.putReport(document, signal),
    longestWaitMs: pollMs,
    clock,
    log,
  })
  const puller = createPuller({
    getTarget: (etag, signal) => server.getTarget(etag, signal),
    etag: known?.etag ?? null,
    pollMs,
    clock,
    log,
    async onTarget(target, etag) {
      reconciler.setTarget(target)
      await store.saveTarget({ etag, target })
    },
    onContact: () => reporter.noteContact(),
  })
  if (known) reconciler.setTarget(known.target)

  return {
    hint: () => puller.hint(),
    noteReachable: () => puller.restart(),
    noteChange: () => reporter.noteChange(),
    async run(signal) {
      const stopListening = slivers.onEnded((id) => {
        reconciler.noteEnded(id).catch((error: unknown) => {
          log.error({ err: error, sliver: id }, 'a sliver that ended cannot be looked at')
        })
      })
      // One that fails ends the others.
      const failed = new AbortController()
      const either = AbortSignal.any([signal, failed.signal])
      const parts = [puller.run(either), reconciler.run(either), reporter.run(either)]
      try {
        await Promise.all(parts)
      } finally {
        failed.abort()
        await Promise.allSettled(parts)
        stopListening()
      }
    },
  }
}
