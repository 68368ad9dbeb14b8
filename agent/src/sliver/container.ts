import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { containerConfiguration } from './domain/container.ts'
import { mapIds } from './domain/ids.ts'
import type { Cgroups } from './host/cgroups.ts'
import { runCommand } from './host/command.ts'
import { findCoreLimit } from './host/core-dumps.ts'
import type { Host } from './host/host.ts'
import { waitForListener } from './host/process.ts'
import type { ProcessIdentity } from './host/process.ts'
import { terminate } from './host/terminate.ts'
import type { Platform } from './platform.ts'
import type { SliverRecord } from './store/record.ts'
import { boundFolders, hasCopy, hostKeyPath } from './store/root.ts'
import { settleAll } from '../settle-all.ts'

/** The folders from which a sliver's container is made. */
export interface ContainerPlaces {
  readonly folder: string
  /** The root file system of its template. */
  readonly template: string
  /** The folder that the sliver sees as `/run/community-lab`. */
  readonly measureDir: string
  readonly hostname: string
}

const sshPort = 22
/** The longest time until its SSH server listens, in milliseconds. */
const sshWithinMs = 20_000

/** The first and only program that the agent starts in a sliver: it allows logins only by key, writes no log, and reaps orphans. */
export const firstProgram = [
  '/usr/sbin/dropbear',
  '-F',
  '-s',
  '-r',
  hostKeyPath,
  '-p',
  String(sshPort),
]

/** Return a short name of a sliver, for its runtime, cgroups and links. It is unique on the node because the sliver's number is. */
export function containerName({ nr }: Pick<SliverRecord, 'nr'>): string {
  return `sliver-${nr}`
}

/**
 * Create a sliver's container with its limits and links. Its first program does not run yet. The caller records the process before that, so that it can be
 * found and ended even if the agent is killed.
 */
export async function createContainer(
  platform: Platform,
  record: SliverRecord,
  { places: at, signal }: { readonly places: ContainerPlaces; readonly signal: AbortSignal },
): Promise<ProcessIdentity> {
  const { runtime, places, ids, cgroups } = platform
  const name = containerName(record)
  const bound = { ...boundSources(at.folder), measure: at.measureDir }
  const mapping = mapIds(ids, record.nr)
  const configuration = containerConfiguration({
    rootPath: places.root,
    hostname: at.hostname,
    args: firstProgram,
    ids: mapping,
    bound: Object.entries(boundFolders).map(([part, destination]) => ({
      source: places.bound(part),
      destination,
    })),
    cgroupsPath: runtime.makesCgroups ? (cgroups?.path(name) ?? null) : null,
    coreLimit: await findCoreLimit(),
    arch: process.arch,
    seccompProgram: runtime.seccompProgram,
  })
  await writeFile(join(at.folder, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
  await cgroups?.create(name, record.limits)
  const lower = (await hasCopy(at.folder)) ? 'own' : { shared: at.template, ids: mapping }
  await runtime.create(name, { folder: at.folder, lower, bound }, signal)
  const found = await runtime.find(name)
  if (found === null) throw ended(record, 'its container ended before it was started')
  return found
}

/** Move a created container into its cgroups, connect its links, let it run, and wait until its SSH server listens. */
export async function startContainer(
  { runtime, cgroups, links }: Platform,
  record: SliverRecord,
  { process, signal }: { readonly process: ProcessIdentity; readonly signal: AbortSignal },
): Promise<void> {
  const name = containerName(record)
  await settleAll(
    cgroups === null
      ? limitProcesses(process.pid, record.limits.processes, signal)
      : cgroups.enter(name, process.pid),
    links.connect(record, process, signal),
  )
  await runtime.start(name, signal)
  const late = AbortSignal.timeout(sshWithinMs)
  try {
    const either = AbortSignal.any([signal, late])
    if (await waitForListener(process, sshPort, either)) return
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error
    throw new LabError('LAB_SLIVER_NO_SSH', { sliver: record.id, waitedMs: sshWithinMs })
  }
  throw ended(record, await explainEnd({ cgroups }, record))
}

/**
 * Limit the number of a sliver's processes when there is no cgroup for it. The limit is set on the first process when that is in the sliver's user namespace. A
 * runtime would set it on itself before it makes the namespace, which inherits it; then the kernel would count all processes of the agent's user.
 */
async function limitProcesses(pid: number, processes: number, signal: AbortSignal): Promise<void> {
  const limit = `--nproc=${processes}:${processes}`
  await runCommand(['prlimit', '--pid', String(pid), limit], { signal })
}

/** The known facts of a container that must end. */
export type EndingContainer = Pick<SliverRecord, 'id' | 'nr' | 'interfaces' | 'process'>

/** The time that a sliver's programs have to end after SIGTERM, in milliseconds. Source: Docker's and podman's default. */
const graceMs = 10_000

/**
 * End a sliver's processes, links and cgroups, as far as they exist. Its programs get SIGTERM, and SIGKILL after 10 s; the signal ends the wait. Idempotent.
 * @throws {@link LabError} LAB_SLIVER_STUCK when the kernel does not end them; then links and cgroups stay.
 */
export async function endContainer(
  { cgroups, ending, filter, links, destroyContainer, removing }: Host,
  sliver: EndingContainer,
  signal: AbortSignal,
): Promise<void> {
  const name = containerName(sliver)
  if (sliver.process !== null)
    await terminate(sliver.process, { sliver: sliver.id, graceMs, signal, ending })
  await removing(sliver.nr, async () => {
    await settleAll(links.disconnect(sliver), destroyContainer(name))
    await settleAll(filter.expel(sliver), cgroups.remove(name))
  })
}

/** Explain why a sliver has ended, as far as the kernel tells. Its cgroups must still exist. */
export async function explainEnd(
  { cgroups }: { readonly cgroups: Cgroups | null },
  record: SliverRecord,
): Promise<string> {
  const killed = (await cgroups?.countOomKills(containerName(record))) ?? 0
  return killed > 0
    ? `the kernel killed ${killed} of its processes, for it used all of its ${record.limits.memory} MiB of memory`
    : 'its SSH server, its first process, is gone'
}

function boundSources(folder: string): Record<string, string> {
  return { keys: join(folder, 'keys'), 'host-key': join(folder, 'host-key') }
}

function ended(record: SliverRecord, reason: string): LabError {
  return new LabError('LAB_SLIVER_ENDED', { sliver: record.id, reason })
}
