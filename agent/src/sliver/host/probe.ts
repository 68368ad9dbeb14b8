import { chown, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { containerConfiguration } from '../domain/container.ts'
import { mapIds, type IdPlan } from '../domain/ids.ts'
import { exists } from '../../errno.ts'
import { isInitialUserNamespace, type BundlePlaces } from './bundle.ts'
import type { Cgroups } from './cgroups.ts'
import { reasonOf } from './command.ts'
import { findCoreLimit } from './core-dumps.ts'
import { makeDisk } from './disk.ts'
import { createRuntime, runtimeNames, type OciRuntime, type RuntimeName } from './runtime.ts'

/** Options of {@link findRuntime}. */
export interface RuntimeSearch {
  readonly wanted: 'auto' | RuntimeName
  /** The agent's folder for runtimes. */
  readonly dir: string
  readonly places: BundlePlaces
  readonly ids: IdPlan
  readonly cgroups: Cgroups | null
  readonly signal: AbortSignal
}

/** No sliver has this number, so its ids are free for the probe. */
const probeNr = 0
const probeName = 'probe'
const probeDiskMiB = 8
/** The probe's template: this host's own programs and libraries. */
const programs = '/usr'

/** A runtime that works, and what it can do. */
export interface FoundRuntime {
  readonly runtime: OciRuntime
  /** Whether slivers can share one unpacked template with their own ids; if not, each gets a copy. */
  readonly sharesTemplates: boolean
  /** Why the disk space of a sliver cannot be limited; null when it can be. */
  readonly unlimitedDisk: string | null
}

/** Find a runtime that works here, by running a container like a sliver. If none does, returns the error of each. */
export async function findRuntime(search: RuntimeSearch): Promise<FoundRuntime | string> {
  const { wanted, dir, places, cgroups } = search
  const reasons: string[] = []
  for (const name of wanted === 'auto' ? runtimeNames : [wanted]) {
    const stateDir = join(dir, name)
    const runtime = createRuntime({ name, stateDir, places, hasCgroups: cgroups !== null })
    const attempt = (way: Way) =>
      tryRuntime(runtime, way, search).then(
        () => null,
        (error: unknown) => reasonOf(error),
      )
    for (const sharesTemplates of [true, false]) {
      const unlimitedDisk = await attempt({ sharesTemplates, limitsDisk: true })
      search.signal.throwIfAborted()
      if (unlimitedDisk === null) return { runtime, sharesTemplates, unlimitedDisk }
      const reason = await attempt({ sharesTemplates, limitsDisk: false })
      search.signal.throwIfAborted()
      if (reason === null) {
        if (!(await mayLimitDisks())) return { runtime, sharesTemplates, unlimitedDisk }
        return `whether disks can be limited cannot be found out: ${unlimitedDisk}`
      }
      // A copy works on more hosts than sharing does, so the error of the copy is reported.
      if (!sharesTemplates) reasons.push(`${name}: ${reason}`)
    }
  }
  return reasons.join('; ')
}

/**
 * Tell whether disks can be limited here in principle: only the host's own root may mount a disk, and a kernel may be built without loop devices. If they can, a failed probe does not mean
 * that slivers have no limit, because its cause may pass: a full disk, a missing program, or loop devices that are all in use.
 */
async function mayLimitDisks(): Promise<boolean> {
  if (!(await isInitialUserNamespace())) return false
  const devices = await readFile('/proc/devices', 'utf8')
  return /^\s*\d+ loop$/mu.test(devices) || (await exists('/dev/loop-control'))
}

/** How a sliver's root is made. */
interface Way {
  readonly sharesTemplates: boolean
  readonly limitsDisk: boolean
}

async function tryRuntime(
  runtime: OciRuntime,
  { sharesTemplates, limitsDisk }: Way,
  search: RuntimeSearch,
): Promise<void> {
  const { dir, places, ids, cgroups, signal } = search
  const folder = join(dir, probeName)
  const mapping = mapIds(ids, probeNr)
  const rootId = mapping[0]?.outside ?? 0
  await rm(folder, { recursive: true, force: true })
  for (const part of ['stage', 'upper', 'work'])
    await mkdir(join(folder, part), { recursive: true })
  await chown(join(folder, 'upper'), rootId, rootId)
  if (limitsDisk)
    await makeDisk(folder, ['upper', 'work'], { sliver: probeName, sizeMiB: probeDiskMiB, signal })
  if (!sharesTemplates) await symlink(programs, join(folder, 'lower'))
  const configuration = containerConfiguration({
    rootPath: places.root,
    hostname: probeName,
    args: ['/bin/true'],
    ids: mapping,
    bound: [],
    cgroupsPath: runtime.makesCgroups ? (cgroups?.path(probeName) ?? null) : null,
    coreLimit: await findCoreLimit(),
    arch: process.arch,
    seccompProgram: runtime.seccompProgram,
  })
  await writeFile(join(folder, 'config.json'), JSON.stringify(configuration))
  const lower = sharesTemplates ? { shared: programs, ids: mapping } : 'own'
  try {
    await runtime.destroy(probeName)
    await cgroups?.create(probeName, { memory: 64, disk: 0, cpu: 100, processes: 16 })
    const pid = await runtime.create(probeName, { folder, lower, bound: {} }, signal)
    await cgroups?.enter(probeName, pid)
    await runtime.start(probeName, signal)
  } finally {
    await runtime.destroy(probeName)
    await cgroups?.remove(probeName)
    await rm(folder, { recursive: true, force: true })
  }
}
