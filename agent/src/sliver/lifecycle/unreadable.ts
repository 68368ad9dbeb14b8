import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, maxSliversPerNode, parseSliverId } from '@community-lab/contract'
import { containerName, endContainer } from '../container.ts'
import { limitsInText } from '../domain/limits.ts'
import type { Host } from '../host/host.ts'
import { isAlive, type ProcessIdentity } from '../host/process.ts'
import type { UnreadableSliver } from '../../plan/observed.ts'
import type { Records } from '../store/records.ts'
import type { SliverParts } from './parts.ts'
import type { UnreadableFolder } from './unreadable-folder.ts'

/** Collect the known facts of the slivers whose records cannot be read, from their folders and from the state of runtimes. */
export async function findUnreadable(
  records: Records,
  host: Host,
): Promise<ReadonlyMap<string, UnreadableFolder>> {
  const containers = await numberedContainers(host)
  const ids = [...records.unreadable].filter(([id]) => parseSliverId(id) !== null)
  const folders = await Promise.all(
    ids.map(async ([id, record]): Promise<UnreadableFolder> => {
      // The runtime wrote the pid of the container's first process into this file.
      const pid = Number(await readText(join(records.folder(id), 'pid')))
      const [running] = [...containers].filter(([, process]) => process?.pid === pid)
      const text = await readText(record.keptAt)
      const nr = running?.[0] ?? numberIn(text)
      return { id, record, nr, process: running?.[1] ?? null, limits: limitsInText(text) }
    }),
  )
  return new Map(folders.map((one) => [one.id, one]))
}

/** End containers whose sliver has no folder. */
export async function endStrays(parts: SliverParts): Promise<void> {
  const known = new Set([...parts.records.all(), ...parts.unreadable.values()].map(({ nr }) => nr))
  for (const [nr, process] of await numberedContainers(parts.host)) {
    if (known.has(nr)) continue
    const stray = { id: containerName({ nr }), nr, interfaces: [], process }
    await endContainer(parts.host, stray, AbortSignal.abort()).catch((error: unknown) =>
      parts.node.onProblem(stray.id, error),
    )
  }
}

/** Describe a sliver whose record cannot be read. */
export function describeUnreadable({ id, record, process }: UnreadableFolder): UnreadableSliver {
  const runs = process !== null && isAlive(process)
  const running = runs ? `it runs (process ${process.pid})` : 'it does not run'
  const { reason, keptAt } = record
  const { message } = new LabError('LAB_SLIVER_UNREADABLE', { sliver: id, keptAt, reason, running })
  return { id, error: { member: '', message }, pid: runs ? process.pid : null }
}

/** Refuse to make a sliver when a folder with an unreadable record has its id. @throws {@link LabError} LAB_SLIVER_UNREADABLE. */
export function refuseUnreadable({ unreadable }: SliverParts, id: string): void {
  const found = unreadable.get(id)
  if (found === undefined) return
  const { reason, keptAt } = found.record
  const { pid } = describeUnreadable(found)
  const running = pid === null ? 'it does not run' : `it runs (process ${pid})`
  throw new LabError('LAB_SLIVER_UNREADABLE', { sliver: id, keptAt, reason, running })
}

/** End the processes of a sliver whose record cannot be read. Its files are kept. */
export async function stopUnreadable(
  { host }: SliverParts,
  { id, nr, process }: UnreadableFolder,
  signal: AbortSignal,
): Promise<void> {
  if (nr === null) return
  await endContainer(host, { id, nr, interfaces: [], process }, signal)
}

/** Find the containers of all runtimes: their first processes, by the number of the sliver. */
async function numberedContainers(
  host: Host,
): Promise<ReadonlyMap<number, ProcessIdentity | null>> {
  const found = new Map<number, ProcessIdentity | null>()
  for (const [name, process] of await host.findContainers()) {
    const nr = Number(/^sliver-(\d+)$/u.exec(name)?.[1])
    if (nr >= 1 && nr <= maxSliversPerNode) found.set(nr, process)
  }
  return found
}

/** Find the number in a record that is not readable as a whole. */
function numberIn(text: string): number | null {
  const nr = Number(/"nr"\s*:\s*(\d{1,3})\b/u.exec(text)?.[1])
  return nr >= 1 && nr <= maxSliversPerNode ? nr : null
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => {
    // The reason does not matter: the sliver is reported as unreadable anyway.
    return ''
  })
}
