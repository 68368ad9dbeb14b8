import { statfs } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import { containerName } from './container.ts'
import type { ReportedResource } from '../report/report.ts'
import { limitsOf } from './domain/limits.ts'
import type { Host } from './host/host.ts'
import { isAlive } from './host/process.ts'
import type { RunningSlivers } from './lifecycle/running.ts'
import type { Probing } from './probing.ts'
import type { Finding, UpkeepPart } from './upkeep.ts'

/** The objects that the parts check. */
export interface UpkeepSubject {
  readonly host: Pick<Host, 'dataDir'> & {
    readonly filter: Pick<Host['filter'], 'check'>
    readonly forwarding: Pick<Host['forwarding'], 'ensure'>
    readonly links: Pick<Host['links'], 'inspect' | 'connect'>
    readonly cgroups: Pick<Host['cgroups'], 'mend' | 'limitAll'>
  }
  readonly probing: Probing
  /** Read what the node lends to all slivers together now. */
  readonly readOffer: () => Promise<readonly ReportedResource[]>
  readonly slivers: Omit<RunningSlivers, 'shapeLinks' | 'killForSockets'>
  /** Called when one sliver cannot be checked. The other slivers are checked all the same. */
  readonly onSliverError: (id: string, error: unknown) => void
  /** Called when the capabilities of slivers on this node have changed. */
  readonly onCapabilities: () => void
  readonly now: () => Date
}

/** Return the parts of the host that the agent checks and repairs. The order matters: what separates slivers comes first. */
export function upkeepParts(subject: UpkeepSubject): readonly UpkeepPart[] {
  const mended = (what: string, found: string): Finding => {
    const on = subject.now().toISOString()
    return { member: '', message: new LabError('LAB_NODE_MENDED', { what, found, on }).message }
  }
  return [
    { name: 'filter', after: ['filters'], check: () => checkFilter(subject, mended) },
    { name: 'forwarding', after: ['links'], check: () => checkForwarding(subject, mended) },
    {
      name: 'links',
      after: ['links'],
      check: (signal) => checkLinks(subject, { mended, signal }),
    },
    { name: 'limits', after: [], check: () => checkLimits(subject, mended) },
    { name: 'leftovers', after: [], check: () => cleanUp(subject) },
    { name: 'space', after: [], check: () => checkSpace(subject) },
    { name: 'capabilities', after: [], check: () => checkCapabilities(subject) },
  ]
}

type Mended = (what: string, found: string) => Finding

/** Check the filter. Slivers never run without it: they are stopped when it cannot be set. */
async function checkFilter(
  { host, slivers }: UpkeepSubject,
  mended: Mended,
): Promise<readonly Finding[]> {
  try {
    const found = await host.filter.check()
    return found === null ? [] : [mended('the packet filter of its slivers', `was ${found}`)]
  } catch (error) {
    if (!LabError.is(error, 'LAB_SLIVER_UNFILTERED')) throw error
    await slivers.stopAll(error.message)
    return [{ member: '', message: error.message }]
  }
}

async function checkForwarding(
  { host, slivers }: UpkeepSubject,
  mended: Mended,
): Promise<readonly Finding[]> {
  const settings = await host.forwarding.ensure()
  if (slivers.list().length === 0) return []
  // Configuring an interface that has just appeared is not a finding. It is one when somebody has switched off `all/forwarding`.
  const undone = settings.filter(({ name }) => name === 'all')
  return undone.length === 0 ? [] : [mended('forwarding of IPv6', 'was switched off')]
}

/** Run a task for several slivers in parallel, so that one that fails or waits for a step of its life delays no other. */
async function forEach<T extends { readonly id: string }>(
  { onSliverError }: UpkeepSubject,
  slivers: readonly T[],
  task: (sliver: T) => Promise<void>,
): Promise<void> {
  await Promise.all(
    slivers.map((one) => task(one).catch((error: unknown) => onSliverError(one.id, error))),
  )
}

async function checkLinks(
  subject: UpkeepSubject,
  { mended, signal }: { readonly mended: Mended; readonly signal: AbortSignal },
): Promise<readonly Finding[]> {
  const { host, slivers } = subject
  const findings: Finding[] = []
  const lacking = await host.links.inspect(slivers.list())
  const incomplete = slivers.list().filter(({ nr }) => lacking.has(nr))
  await forEach(subject, incomplete, ({ id, nr }) =>
    slivers.inTurn(id, async (record) => {
      // The sliver may have ended or been restarted since it was listed.
      if (record.process === null || !isAlive(record.process)) return
      const lacks = (await host.links.inspect([record])).get(nr)
      if (lacks === undefined) return
      await host.links.connect(record, record.process, signal)
      findings.push(mended(`the network of sliver ${id}`, `had lost ${lacks.join(', ')}`))
    }),
  )
  return findings
}

async function checkLimits(subject: UpkeepSubject, mended: Mended): Promise<readonly Finding[]> {
  const { host, probing, slivers } = subject
  if (!probing.found.capabilities.limits) return []
  const findings: Finding[] = []
  const lent = (await subject.readOffer()).map(({ name, total }) => ({ name, req: total }))
  const late = await host.cgroups.limitAll(limitsOf(lent))
  await forEach(subject, slivers.list(), async (record) => {
    const differing = await host.cgroups.mend(containerName(record), record.limits)
    if (differing.length > 0)
      findings.push(
        mended(`the limits of sliver ${record.id}`, `were changed: ${differing.join(', ')}`),
      )
  })
  // The limits of single slivers are lower now.
  const left = late === null ? null : await host.cgroups.limitAll(limitsOf(lent))
  if (left !== null) findings.push(notLimited(left))
  return findings
}

function notLimited(reason: string): Finding {
  const { message } = new LabError('LAB_NODE_LENDS_LESS', { reason })
  return { member: '/lends', message }
}

/** Remove links and cgroups of ended slivers that a failed removal has left. That is not a finding, because nobody has changed anything. */
async function cleanUp({ slivers }: UpkeepSubject): Promise<readonly Finding[]> {
  await slivers.cleanUpAll()
  return []
}

/** With less free space than this, in MiB, records, spool and logs of the node will soon not fit. */
const leastFreeMiB = 128

async function checkSpace({ host: { dataDir } }: UpkeepSubject): Promise<readonly Finding[]> {
  const { bavail, bsize } = await statfs(dataDir)
  if (bavail * bsize >= leastFreeMiB * 2 ** 20) return []
  const { message } = new LabError('LAB_NODE_DISK_LOW', { dataDir, leastMiB: leastFreeMiB })
  return [{ member: '/resources', message }]
}

/** Probe the capabilities again. There are no findings here: a change is visible in the node's capabilities. */
async function checkCapabilities(subject: UpkeepSubject): Promise<readonly Finding[]> {
  if (await subject.probing.refreshIfDue()) subject.onCapabilities()
  return []
}
