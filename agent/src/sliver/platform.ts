import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Capabilities } from '@community-lab/contract'
import { planIds, type IdPlan } from './domain/ids.ts'
import { chooseBundlePlaces, type BundlePlaces } from './host/bundle.ts'
import { openCgroups, type Cgroups } from './host/cgroups.ts'
import { reasonOf } from './host/command.ts'
import { openLinks, type Links } from './host/links.ts'
import { findRuntime } from './host/probe.ts'
import type { OciRuntime, RuntimeName } from './host/runtime.ts'
import type { LinkedSliver } from './domain/links.ts'

/** What slivers are made with on this host. */
export interface Platform {
  readonly runtime: OciRuntime
  /** Whether slivers can share one unpacked template; else each gets a copy. */
  readonly sharesTemplates: boolean
  /** Whether what a sliver writes is limited to the disk that it asked for. */
  readonly limitsDisk: boolean
  readonly places: BundlePlaces
  readonly ids: IdPlan
  readonly links: Links
  /** Null where limits cannot hold. */
  readonly cgroups: Cgroups | null
}

/** Options of {@link findPlatform}. */
export interface PlatformSearch {
  readonly dataDir: string
  readonly wantedRuntime: 'auto' | RuntimeName
  readonly cgroupParent: string
  readonly mgmtPrefix: string
  readonly mgmtInterface: string | null
  /** The slivers that run already. */
  readonly running: readonly LinkedSliver[]
  readonly signal: AbortSignal
}

/** What was found: without platform no sliver can run here, and `lacks` tells why. */
export interface FoundPlatform {
  readonly platform: Platform | null
  readonly capabilities: Capabilities
}

/** Find out, by doing it, what slivers can be made with on this host, and prepare its network for them. */
export async function findPlatform(search: PlatformSearch): Promise<FoundPlatform> {
  const { dataDir, signal } = search
  const cgroups = await openCgroups(search.cgroupParent)
  const usable = typeof cgroups === 'string' ? null : cgroups
  const lacks =
    typeof cgroups === 'string'
      ? [`it does not limit the memory and CPU that slivers use (${cgroups})`]
      : []
  const without = (lack: string): FoundPlatform => ({
    platform: null,
    capabilities: { runtime: 'none', limits: false, userns: false, lacks: [lack, ...lacks] },
  })

  const ids = await readIds()
  if (ids === null)
    return without('this agent has too few user ids to give slivers some of their own')
  const places = chooseBundlePlaces(dataDir)
  const dir = join(dataDir, 'runtime')
  await mkdir(dir, { recursive: true, mode: 0o711 })
  const wanted = search.wantedRuntime
  const found = await findRuntime({ wanted, dir, places, ids, cgroups: usable, signal })
  if (typeof found === 'string') return without(found)
  const { runtime, sharesTemplates, unlimitedDisk } = found
  if (unlimitedDisk !== null)
    lacks.push(`it does not limit the disk that slivers use (${unlimitedDisk})`)
  try {
    const links = await openLinks(search)
    const limitsDisk = unlimitedDisk === null
    return {
      platform: { runtime, sharesTemplates, limitsDisk, places, ids, links, cgroups: usable },
      capabilities: { runtime: runtime.name, limits: usable !== null, userns: true, lacks },
    }
  } catch (error) {
    signal.throwIfAborted()
    return without(
      `its packet filter cannot be set, so slivers would not be kept apart (${reasonOf(error)})`,
    )
  }
}

/** The ids that both users and groups can have. */
async function readIds(): Promise<IdPlan | null> {
  const [users, groups] = await Promise.all(
    ['uid_map', 'gid_map'].map(async (file) =>
      planIds(await readFile(join('/proc/self', file), 'utf8')),
    ),
  )
  if (!users || !groups) return null
  return users.count <= groups.count ? users : groups
}
