import { link, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { isErrno, isFull, isProcessGone } from './errno.ts'

/** A data folder that this process holds. */
export interface Lock {
  release(): Promise<void>
}

/**
 * Lock the agent's data folder, because two agents on one folder would undo each other's work. A lock of an ended process is taken over, even when its pid is
 * in use again, because the lock also contains the start time of the process. On a full disk the lock is a symbolic link whose target is the content of the
 * lock, because a link needs no block. The server's lock (`folder-lock.ts`) does not name its holder; this one does, because an owner wants to know which
 * process it is.
 *
 * @throws {@link LabError} LAB_AGENT_RUNNING.
 */
export async function holdFolder(dataDir: string): Promise<Lock> {
  const file = join(dataDir, 'agent.pid')
  const own = `${process.pid} ${(await startTimeOf(process.pid)) ?? ''}`
  const temporary = `${file}.${process.pid}`
  await writeLock(temporary, own)
  try {
    while (!(await linkNew(temporary, file))) {
      const holder = await readHolder(file)
      if (holder === null) continue
      const [pid = '', started] = holder.split(' ')
      if (started !== undefined && (await startTimeOf(Number(pid))) === started)
        throw new LabError('LAB_AGENT_RUNNING', { dataDir, pid: Number(pid) })
      await discard(file, { holder, aside: `${temporary}.stale` })
    }
  } finally {
    await rm(temporary, { force: true })
  }
  return { release: () => rm(file, { force: true }) }
}

async function writeLock(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600 })
  } catch (error) {
    if (!isFull(error)) throw error
    await rm(path, { force: true })
    await symlink(text, path)
  }
}

async function readHolder(path: string): Promise<string | null> {
  try {
    return await readlink(path)
  } catch {
    // The lock is a regular file, or it is gone.
    return readIfThere(path)
  }
}

/** Remove a stale lock, but not the new lock of another agent. */
async function discard(
  file: string,
  { holder, aside }: { readonly holder: string; readonly aside: string },
): Promise<void> {
  try {
    await rename(file, aside)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  if ((await readHolder(aside)) !== holder) await linkNew(aside, file)
  await rm(aside, { force: true })
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

/** Return the start time of a process, in clock ticks since the host's boot; null when there is no process. Source: proc(5), field 22. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readIfThere(`/proc/${pid}/stat`)
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === undefined || state === 'Z' ? null : (fields[18] ?? null)
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isProcessGone(error)) return null
    throw error
  }
}
