import type { MemberError } from '@community-lab/contract'
import { messageOf } from '@community-lab/contract'
import { describeFault } from '../executor/fault.ts'
import { createExecutors } from '../executor/table.ts'
import type { Poll } from '../measurement/measurement.ts'
import { noteBoot, type Boot } from '../plan/boot.ts'
import type { Lending } from '../plan/lending.ts'
import type { OwnerWatch } from '../owner/setting.ts'
import { checkNode, holdByChecks, type OwnNode } from '../plan/checks.ts'
import { describeOwner, holdByOwner } from '../plan/owner.ts'
import type { Current } from '../plan/plan.ts'
import type { NodeWanted } from '../plan/wanted.ts'
import type { NodeProblems } from '../report/problems.ts'
import { report, type NodeFacts, type ReportedResource } from '../report/report.ts'
import { limitOffer } from '../report/resources.ts'
import type { NodeRuns } from '../run/node-runs.ts'
import type { ServerClient } from '../server/client.ts'
import type { Slivers } from '../sliver/slivers.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { LoopStore } from './store.ts'
import { createPuller } from './puller.ts'
import { repeatUntilAborted } from './repeat.ts'
import { createReconciler } from './reconciler.ts'
import { createReporter } from './reporter.ts'

/** Options of {@link createLoop}. */
export interface LoopOptions {
  readonly server: Pick<ServerClient, 'getTarget' | 'putReport'>
  /** Polls over the node's stream if it is open; null: it is not. */
  readonly poll: Poll
  readonly slivers: Slivers
  /** The runs of the slivers. */
  readonly runs: Pick<NodeRuns, 'setTarget' | 'look' | 'reports'>
  readonly store: LoopStore
  readonly facts: NodeFacts
  /** Who the node is, from its enrolment. */
  readonly identity: Pick<OwnNode, 'id' | 'mgmtPrefix'>
  /** Read what the device offers by its own settings. */
  readonly readOffer: () => Promise<readonly ReportedResource[]>
  /** What of that is lent now. */
  readonly lending: Lending
  /** Return the current errors of the node other than those of its slivers. */
  readonly readErrors: () => readonly MemberError[]
  /** What the node's owner has set on the device. The node never goes further than that. */
  readonly owner: Pick<OwnerWatch, 'setting' | 'onChange'>
  /** The problems of the node that parts of the agent, including this loop, have noted. The report contains these and `readErrors`. */
  readonly problems: NodeProblems
  /**
   * Reboot the host. When the host reboots, this never settles, because the process ends first. It resolves when nothing reboots the host, and rejects when the
   * reboot fails.
   */
  readonly reboot: (signal: AbortSignal) => Promise<void>
  /** The longest time between two polls of the target, in milliseconds. */
  readonly pollMs: number
  readonly clock: Clock
  readonly log: Log
}

/** The agent's loop: pull, plan, apply, report. */
export interface Loop {
  /** The server says that something has changed: poll now. */
  hint(): void
  /** The server can be reached again: poll and report now, over new connections. */
  noteReachable(): void
  /** Something on the node has changed: report it. */
  reportSoon(): void
  /** Work until the signal is aborted. Running steps are aborted, and their ends awaited. Slivers continue to run. */
  run(signal: AbortSignal): Promise<void>
}

/** The time between two looks at what the plan depends on besides the server: the hours at which the node is lent, and its own checks; in milliseconds. */
const lookEveryMs = 5_000

/** Make the loop. It reads the last target from the disk and works towards it before it asks the server, which may not be reachable. */
export async function createLoop(options: LoopOptions): Promise<Loop> {
  const { server, slivers, runs, store, lending, problems, owner, clock, log, pollMs } = options
  const known = await store.loadTarget()
  const kept = await store.loadBoot()
  // Without a file, the last requested reboot counts as done: an unneeded restart costs more than a reboot that has to be requested again.
  let boot: Boot = kept ?? { bootSn: known?.wanted.node.boot_sn ?? 0, lives: {} }
  /** False with an empty data folder. Then the reboots that the first target requests count as done. */
  let isBootKnown = kept !== null || known !== null

  /** The last target, as the server has sent it. */
  let received: NodeWanted | null = null
  /** The amounts to which slivers are held together, as text; null: this has failed. */
  let applied: string | null = JSON.stringify(lending.amounts)
  /** What the node's own checks have found. While there is anything, it is in `debug`. */
  let faults: readonly MemberError[] = []
  /** What the device offers, as last read. */
  let offer: readonly ReportedResource[] = []
  /** The running reboot of the host, if any. */
  let rebooting: Promise<void> | null = null

  async function observe(): Promise<Current> {
    const [found, unreadable] = await Promise.all([slivers.list(), slivers.unreadable()])
    return { slivers: found, unreadable, boot, isRebooting: rebooting !== null }
  }

  /** The last `boot_sn` that arrived during a reboot; null if none did. */
  let nextBootSn: number | null = null

  /** Reboot the host. When the reboot fails and another was requested meanwhile, try again. */
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
    /** Note the reboot, and begin it. It runs beside the rounds, so that an owner who wants the device back does not wait for it. */
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
    onProgress() {
      runs.look()
      reporter.reportSoon()
    },
  })
  const reporter = createReporter({
    async makeReport() {
      const [current, offered] = await Promise.all([observe(), options.readOffer()])
      const resources = limitOffer(offered, lending.amounts)
      const { target, failures } = reconciler
      const errors = [...problems.list(), ...options.readErrors()]
      return report({
        facts: options.facts,
        target,
        current,
        failures,
        resources,
        lending: lending.describe(offered),
        runs: runs.reports(),
        errors,
      })
    },
    putReport: (document, signal) => server.putReport(document, signal),
    longestWaitMs: pollMs,
    clock,
    log,
  })
  const puller = createPuller({
    poll: (etag) => options.poll({ target: etag, report: reporter.etag }),
    getTarget: (etag, signal) => server.getTarget(etag, signal),
    etag: known?.etag ?? null,
    pollMs,
    clock,
    log,
    async onTarget(fetched) {
      if (!isBootKnown) boot = { ...boot, bootSn: fetched.wanted.node.boot_sn }
      isBootKnown = true
      await useTarget(fetched.wanted)
      await keep('target', () => store.saveTarget(fetched))
    },
    onContact: (isReportKnown) => reporter.noteContact(isReportKnown),
  })
  if (known) await useTarget(known.wanted)
  followOwner()
  owner.onChange(() => {
    log.info({ owner: owner.setting }, 'the owner has set what this node may do')
    followOwner()
  })

  /** Work towards a target, as far as what the node lends allows. */
  async function useTarget(wanted: NodeWanted): Promise<void> {
    const offered = await readOffer()
    received = wanted
    check(wanted, offered)
    lending.use(wanted.lends)
    aim(wanted)
    applyAmounts()
  }

  async function readOffer(): Promise<readonly ReportedResource[]> {
    // Where this fails, the next report fails for the same reason, and the log tells of that. What was read before holds until then.
    offer = await options.readOffer().catch(() => offer)
    return offer
  }

  /** Let the node check itself. Returns whether it has found anything else than before. */
  function check(wanted: NodeWanted, offered: readonly ReportedResource[]): boolean {
    const { arch } = options.facts
    const found = checkNode(wanted, { ...options.identity, arch, offered })
    if (JSON.stringify(found) === JSON.stringify(faults)) return false
    for (const { member } of faults) problems.clear(`check ${member}`)
    for (const fault of found) problems.set(`check ${fault.member}`, fault)
    faults = found
    if (found.length > 0) log.error({ found }, 'the node is in debug by its own checks')
    else log.info({}, "the node's own checks find nothing any more")
    return true
  }

  /** Hold slivers together to what the node lends, unless they are already. */
  function applyAmounts(): void {
    const amounts = JSON.stringify(lending.amounts)
    if (amounts === applied) return
    applied = amounts
    slivers.lend(lending.amounts.rate_mbps).then(
      () => problems.clear('lending'),
      (error: unknown) => {
        applied = null
        log.error({ err: error }, 'slivers cannot be held to what the node lends')
        problems.set('lending', { member: '/lends', message: messageOf(error) })
      },
    )
  }

  /** Follow the hours at which the node is lent and its own checks, and try again to hold slivers to what it lends where that has failed. */
  async function lookAgain(signal: AbortSignal): Promise<void> {
    await repeatUntilAborted(signal, async () => {
      await clock.wait(lookEveryMs, signal)
      const offered = await readOffer()
      if (received === null) return
      applyAmounts()
      const isOther = check(received, offered)
      if (!lending.refresh() && !isOther) return
      aim(received)
      reporter.reportSoon()
    })
  }

  /** Work towards a target as far as what the node lends now, its owner, and its own checks allow. */
  function aim(wanted: NodeWanted): void {
    const allowed = holdByOwner(lending.limitTarget(wanted), owner.setting)
    const held = holdByChecks(allowed, faults)
    reconciler.setTarget(held)
    runs.setTarget(held)
  }

  /** Report what the owner has set, and work towards the target as far as it allows. */
  function followOwner(): void {
    const problem = describeOwner(owner.setting)
    if (problem === null) problems.clear('owner')
    else problems.set('owner', problem)
    if (received !== null) aim(received)
    reporter.reportSoon()
  }

  /** Write something to the disk, and tell whether that worked. While it fails, the node works on with what it has in memory, and reports a problem. */
  async function keep(what: 'boot' | 'target', save: () => Promise<void>): Promise<boolean> {
    try {
      await save()
      problems.clear(`keep ${what}`)
      return true
    } catch (error) {
      const reason = messageOf(error)
      const message = `what is wanted of this node cannot be kept on its disk (${reason}); free some space. After a restart the node begins with what it kept last`
      problems.set(`keep ${what}`, { member: '', message })
      log.error({ err: error, what }, 'a document cannot be written')
      return false
    }
  }

  return {
    hint: () => puller.hint(),
    noteReachable() {
      puller.restart()
      reporter.restart()
    },
    reportSoon: () => reporter.reportSoon(),
    async run(signal) {
      const stopReporting = problems.onChange(() => reporter.reportSoon())
      const stopListening = slivers.onEnded((id) => {
        reconciler.noteEnded(id).catch((error: unknown) => {
          log.error({ err: error, sliver: id }, 'a sliver that ended cannot be looked at')
        })
      })
      // When one of them fails, end the others.
      const failed = new AbortController()
      const either = AbortSignal.any([signal, failed.signal])
      const parts = [
        puller.run(either),
        reconciler.run(either),
        reporter.run(either),
        lookAgain(either),
      ]
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
