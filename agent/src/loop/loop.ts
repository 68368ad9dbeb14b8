import type { MemberError } from '@community-lab/contract'
import { describeFault } from '../executor/fault.ts'
import { createExecutors } from '../executor/table.ts'
import type { LookNow } from '../measurement/measurement.ts'
import { noteBoot, type Boot } from '../plan/boot.ts'
import type { Current } from '../plan/plan.ts'
import type { NodeProblems } from '../report/problems.ts'
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
  /** Polls over the node's stream, where that is open; null: it cannot be told there. */
  readonly look: LookNow
  readonly slivers: Slivers
  readonly store: LoopStore
  readonly facts: NodeFacts
  readonly readResources: () => Promise<readonly ReportedResource[]>
  /** What is wrong with the node besides its slivers, now. */
  readonly readErrors: () => readonly MemberError[]
  /** What parts of the agent, this loop among them, have noted as wrong with the node. The report tells both these and `readErrors`. */
  readonly problems: NodeProblems
  /** Reboot the host. On a host that reboots this never settles, because the process ends first; it settles when nothing reboots the host, and rejects when that fails. */
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

/** Make the loop. The last target is read from disk and carried out before the server is asked, because the server may be away. */
export async function createLoop(options: LoopOptions): Promise<Loop> {
  const { server, slivers, store, problems, clock, log, pollMs } = options
  const known = await store.loadTarget()
  const kept = await store.loadBoot()
  // Where no file tells, the last reboot that was asked for counts as done: a needless restart costs more than a reboot that has to be asked for again.
  let boot: Boot = kept ?? { bootSn: known?.wanted.node.boot_sn ?? 0, lives: {} }
  /** False with an empty data folder. Then the reboots that the first target asks for count as done. */
  let isBootKnown = kept !== null || known !== null

  /** A reboot of the host that is under way. */
  let rebooting: Promise<void> | null = null

  async function observe(): Promise<Current> {
    const [found, unreadable] = await Promise.all([slivers.list(), slivers.unreadable()])
    return { slivers: found, unreadable, boot, isRebooting: rebooting !== null }
  }

  /** The `boot_sn` that came last while a reboot was under way; null when none did. */
  let nextBootSn: number | null = null

  /** Reboot the host. When that fails and it was asked for again meanwhile, it is tried again. */
  async function rebootHost(first: number, aborted: AbortSignal): Promise<void> {
    for (let bootSn: number | null = first; bootSn !== null; bootSn = nextBootSn) {
      nextBootSn = null
      problems.clear('reboot')
      try {
        await options.reboot(aborted)
      } catch (error) {
        if (aborted.aborted) break
        log.error({ err: error, bootSn }, 'this host cannot be rebooted; its slivers are restarted')
        problems.set('reboot', describeFault('reboot', error))
      }
    }
    rebooting = null
    reconciler.look()
  }

  const executors = createExecutors({
    slivers,
    /** Note the reboot, and begin it. It goes on beside the rounds, so that an owner who wants the device back does not wait for it. */
    async reboot(bootSn, aborted) {
      const isAsked = bootSn > boot.bootSn
      // The reboot is noted first, so that it happens once. On a host that does not reboot, the next steps restart the slivers that still run. On a full disk
      // the reboot cannot be noted. Then only the slivers are restarted, because the host would reboot again after each boot.
      const noted = noteBoot(boot, bootSn, await slivers.list())
      const isNoted = await keep('boot', () => store.saveBoot(noted))
      boot = noted
      problems.clear('reboot')
      if (!isAsked || !isNoted) return
      nextBootSn = bootSn
      rebooting ??= rebootHost(bootSn, aborted)
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
      const errors = [...problems.list(), ...options.readErrors()]
      return report({ facts: options.facts, target, current, failures, resources, errors })
    },
    putReport: (document, signal) => server.putReport(document, signal),
    longestWaitMs: pollMs,
    clock,
    log,
  })
  const puller = createPuller({
    look: (etag) => options.look({ target: etag, report: reporter.etag }),
    getTarget: (etag, signal) => server.getTarget(etag, signal),
    etag: known?.etag ?? null,
    pollMs,
    clock,
    log,
    async onTarget(fetched) {
      if (!isBootKnown) boot = { ...boot, bootSn: fetched.wanted.node.boot_sn }
      isBootKnown = true
      reconciler.setTarget(fetched.wanted)
      await keep('target', () => store.saveTarget(fetched))
    },
    onContact: (isReportKnown) => reporter.noteContact(isReportKnown),
  })
  if (known) reconciler.setTarget(known.wanted)

  /** Keep something on the disk, and tell whether that worked. While it fails the node works on with what it has in memory, and says so. */
  async function keep(what: 'boot' | 'target', save: () => Promise<void>): Promise<boolean> {
    try {
      await save()
      problems.clear(`keep ${what}`)
      return true
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const message = `what is wanted of this node cannot be kept on its disk (${reason}); free some space. After a restart the node begins with what it kept last`
      problems.set(`keep ${what}`, { member: '', message })
      log.error({ err: error, what }, 'a document cannot be written')
      return false
    }
  }

  return {
    hint: () => puller.hint(),
    noteReachable: () => puller.restart(),
    noteChange: () => reporter.noteChange(),
    async run(signal) {
      const stopReporting = problems.onChange(() => reporter.noteChange())
      const stopListening = slivers.onEnded((id) => {
        reconciler.noteEnded(id).catch((error: unknown) => {
          log.error({ err: error, sliver: id }, 'a sliver that ended cannot be looked at')
        })
      })
      // When one of them fails, the others are ended.
      const failed = new AbortController()
      const either = AbortSignal.any([signal, failed.signal])
      const parts = [puller.run(either), reconciler.run(either), reporter.run(either)]
      try {
        await Promise.all(parts)
      } finally {
        failed.abort()
        await Promise.allSettled([...parts, rebooting])
        stopListening()
        stopReporting()
      }
    },
  }
}
