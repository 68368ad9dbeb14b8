import { statfs } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import { containerName } from './container.ts'
import type { Host } from './host/host.ts'
import { isAlive } from './host/process.ts'
import type { RunningSlivers } from './lifecycle/running.ts'
import type { Probing } from './probing.ts'
import type { Finding, UpkeepPart } from './upkeep.ts'

/** What the parts act on. */
export interface UpkeepSubject {
  readonly host: Pick<Host, 'dataDir'> & {
    readonly filter: Pick<Host['filter'], 'check'>
    readonly forwarding: Pick<Host['forwarding'], 'ensure'>
    readonly links: Pick<Host['links'], 'inspect' | 'connect'>
    readonly cgroups: Pick<Host['cgroups'], 'mend'>
  }
  readonly probing: Probing
  readonly slivers: Omit<RunningSlivers, 'shapeLinks'>
  /** Told when one sliver cannot be looked after. The others are. */
  readonly onSliverError: (id: string, error: unknown) => void
  /** Called when slivers can be made with something else than before. */
  readonly onCapabilities: () => void
  readonly now: () => Date
}

/** What the agent looks after on its host, in this order: what keeps slivers apart comes first. */
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

/** Slivers never run unfiltered: when the filter cannot be set, they are stopped. */
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
  // Setting up an interface that has just appeared is normal, and no finding. It is a finding when somebody has switched `all/forwarding` off.
  const undone = settings.filter(({ name }) => name === 'all')
  return undone.length === 0 ? [] : [mended('forwarding of IPv6', 'was switched off')]
}

/** Do something for each of several slivers side by side, so that one which fails, or waits for a step of its life, delays no other. */
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
      // It may have ended, or been started again, since it was looked at.
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
  await forEach(subject, slivers.list(), async (record) => {
    const differing = await host.cgroups.mend(containerName(record), record.limits)
    if (differing.length > 0)
      findings.push(
        mended(`the limits of sliver ${record.id}`, `were changed: ${differing.join(', ')}`),
      )
  })
  return findings
}

/** Links and cgroups of slivers that have ended are gone as a rule; some may be left when a removal has failed. That is no finding: nobody has changed anything. */
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

/** Look again what slivers can be made with. It has no findings of its own: a change shows in the node's capabilities. */
async function checkCapabilities(subject: UpkeepSubject): Promise<readonly Finding[]> {
  if (await subject.probing.refreshIfDue()) subject.onCapabilities()
  return []
}
