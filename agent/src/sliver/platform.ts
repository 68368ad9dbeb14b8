import { mkdir } from 'node:fs/promises'
import type { Capabilities } from '@community-lab/contract'
import type { IdPlan } from './domain/ids.ts'
import type { BundlePlaces } from './host/bundle.ts'
import type { Cgroups } from './host/cgroups.ts'
import { reasonOf } from './host/command.ts'
import { probeCrashHandler } from './host/core-dumps.ts'
import type { Filter } from './host/filter.ts'
import type { Host } from './host/host.ts'
import { findIds } from './host/ids.ts'
import type { Links } from './host/links.ts'
import { findRuntime } from './host/probe.ts'
import type { OciRuntime, RuntimeName } from './host/runtime.ts'

/** The means of this host for making slivers. */
export interface Platform {
  readonly runtime: OciRuntime
  /** Whether slivers can share one unpacked template; if not, each gets a copy. */
  readonly sharesTemplates: boolean
  /** Whether a sliver's disk space is limited to what it requested. */
  readonly limitsDisk: boolean
  readonly places: BundlePlaces
  readonly ids: IdPlan
  readonly filter: Filter
  readonly links: Links
  /** null when limits cannot be enforced. */
  readonly cgroups: Cgroups | null
}

/** Options of {@link findPlatform}. */
export interface PlatformSearch {
  readonly wantedRuntime: 'auto' | RuntimeName
  readonly signal: AbortSignal
}

/** The result of a probe. When `platform` is null, no sliver can be made on this host, and the `lacks` of the capabilities say why. */
export interface FoundPlatform {
  readonly platform: Platform | null
  readonly capabilities: Capabilities
}

/** The result before the first probe. */
const nothingFound: FoundPlatform = {
  platform: null,
  capabilities: { runtime: 'none', limits: false, userns: false, lacks: ['it is not known yet'] },
}

/**
 * Probe what slivers can be made with on this host, and prepare its network for them. A probe that fails counts as a missing capability. Slivers are never made without a
 * limit for that reason: where a limit that was found `before` is missing now, no sliver is made until it is back.
 */
export async function findPlatform(
  host: Host,
  search: PlatformSearch,
  before: FoundPlatform = nothingFound,
): Promise<FoundPlatform> {
  const { signal, wantedRuntime: wanted } = search
  const { cgroups, places, filter, links } = host
  const lacks: string[] = []
  const without = (lack: string): FoundPlatform => ({
    platform: null,
    capabilities: { runtime: 'none', limits: false, userns: false, lacks: [lack, ...lacks] },
  })
  try {
    const unlimited = await cgroups.probe()
    if (unlimited !== null) {
      lacks.push(`it does not limit the memory and CPU that slivers use (${unlimited})`)
      if (before.capabilities.limits)
        return without(`it limited memory and CPU before and cannot now (${unlimited})`)
    }
    const usable = unlimited === null ? cgroups : null
    const sliverIds = await findIds({
      ...host,
      // If slivers could be made before, their files may have owners.
      hasSlivers: host.hasSlivers || before.platform !== null,
    })
    if (typeof sliverIds === 'string') return without(sliverIds)
    const { plan: ids, conflict } = sliverIds
    if (conflict !== null) lacks.push(conflict)
    await mkdir(host.runtimeDir, { recursive: true, mode: 0o711 })
    const dir = host.runtimeDir
    const found = await findRuntime({ wanted, dir, places, ids, cgroups: usable, signal })
    if (typeof found === 'string') return without(found)
    const { runtime, sharesTemplates, unlimitedDisk } = found
    const limitsDisk = unlimitedDisk === null
    if (!limitsDisk) {
      lacks.push(`it does not limit the disk that slivers use (${unlimitedDisk})`)
      if (before.platform?.limitsDisk === true)
        return without(`it limited the disk of slivers before and cannot now (${unlimitedDisk})`)
    }
    await filter.check()
    await host.forwarding.ensure()
    const unordered = await host.queues.probe()
    if (unordered !== null) lacks.push(unordered)
    const crashHandler = await probeCrashHandler()
    if (crashHandler !== null) lacks.push(crashHandler)
    return {
      platform: {
        runtime,
        sharesTemplates,
        limitsDisk,
        places,
        ids,
        filter,
        links,
        cgroups: usable,
      },
      capabilities: { runtime: runtime.name, limits: usable !== null, userns: true, lacks },
    }
  } catch (error) {
    signal.throwIfAborted()
    return without(reasonOf(error))
  }
}
