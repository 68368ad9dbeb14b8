import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isErrno } from '../../errno.ts'
import { cgroupSettings, type Limits } from '../domain/limits.ts'
import { reasonOf } from './command.ts'

/** The cgroups of slivers. The agent makes and removes them and moves processes into them, whether or not the OCI runtime does so too. */
export interface Cgroups {
  /** The path of a sliver's cgroups below the root of each hierarchy, with a leading slash. */
  path(name: string): string
  /** The folders of a sliver's cgroups by controller, or as `unified`. */
  folders(name: string): Readonly<Record<string, string>>
  /**
   * Limit all slivers together, in the cgroup that contains theirs. A sliver never has more CPU than all. Returns what is not limited yet because slivers still
   * use more, or have higher limits; null: nothing. `mend` lowers the limits of slivers, so call this again after it.
   */
  limitAll(limits: Limits): Promise<string | null>
  /** Make a sliver's cgroups with its limits. */
  create(name: string, limits: Limits): Promise<void>
  /** Move a process, and with it all processes that it will start, into the sliver's cgroups. */
  enter(name: string, pid: number): Promise<void>
  /** How many of its processes the kernel has killed because the memory limit was reached. */
  countOomKills(name: string): Promise<number>
  /** Compare a sliver's limits with the settings of its cgroups, and repair those that differ. Returns a description of each that somebody else has changed. */
  mend(name: string, limits: Limits): Promise<readonly string[]>
  /** Make the cgroup of a run below those of its sliver. It has no limits of its own; those of the sliver hold. */
  createRun(name: string, runId: string): Promise<RunCgroup>
  /** Kill the processes in a sliver's cgroups, and remove the cgroups, including those that a runtime has made. Idempotent. */
  remove(name: string): Promise<void>
  /**
   * Probe whether this process may limit others. Returns why it may not; null when it may.
   * @throws any other error; then it is not known.
   */
  probe(): Promise<string | null>
}

/** The cgroup of a run. */
export interface RunCgroup {
  readonly folder: string
  /** The files into which the pid of a process is written, so that it is in the cgroups of the sliver and of the run. */
  readonly procs: readonly string[]
}

/** Kill the processes in a run's cgroup, and remove it. Idempotent. */
export function removeRunCgroup(folder: string): Promise<void> {
  return removeTree(folder)
}

const root = '/sys/fs/cgroup'
const controllers = ['memory', 'pids', 'cpu'] as const
const removeTries = 100
const removeEveryMs = 10

/** The errors that mean that this process cannot use cgroups on this host. Any other error may be temporary. */
const forbidden = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EOPNOTSUPP'] as const

/** Open the cgroups below a parent, in version 2 or in the hierarchies of version 1. Nothing is created yet. */
export async function openCgroups(parent: string): Promise<Cgroups> {
  return createCgroups(parent, (await hasFile(join(root, 'cgroup.controllers'))) ? 2 : 1)
}

function createCgroups(parent: string, version: 1 | 2): Cgroups {
  const path = (name: string) => `/${parent}/${name}`
  const folderOf = (controller: string, name: string) =>
    join(root, version === 2 ? '' : controller, path(name))
  const all = version === 2 ? ['unified'] : [...controllers, 'cpuacct']
  const folders = (name: string) =>
    Object.fromEntries(all.map((controller) => [controller, folderOf(controller, name)]))
  /** The values that this process has written, by file. */
  const written = new Map<string, string>()
  /** The limits of all slivers together; null: not known yet. */
  let ofAll: Limits | null = null
  const settingsOf = (limits: Limits) =>
    cgroupSettings({ ...limits, cpu: Math.min(limits.cpu, ofAll?.cpu ?? limits.cpu) }, version)
  async function write(path: string, value: string): Promise<void> {
    await writeFile(path, value)
    written.set(path, value)
  }

  const cgroups: Cgroups = {
    path,
    folders,
    async limitAll(limits) {
      ofAll = limits
      const folderOfAll = (controller: string) => dirname(folderOf(controller, 'any'))
      const late: string[] = []
      for (const { controller, file, value, isOptional } of cgroupSettings(limits, version)) {
        await mkdir(folderOfAll(controller), { recursive: true })
        const path = join(folderOfAll(controller), file)
        if ((await readIfThere(path)).trim() === value) continue
        try {
          await writeFile(path, value)
        } catch (error) {
          // EBUSY: slivers use more memory. EINVAL: a sliver has a higher limit (version 1).
          if (isErrno(error, 'EBUSY', 'EINVAL')) late.push(`${file} cannot be ${value} yet`)
          else if (!isOptional) throw error
        }
      }
      return late.length === 0 ? null : late.join(', ')
    },
    async create(name, limits) {
      for (const folder of Object.values(folders(name))) await mkdir(folder, { recursive: true })
      for (const { controller, file, value, isOptional } of settingsOf(limits)) {
        try {
          await write(join(folderOf(controller, name), file), value)
        } catch (error) {
          if (!isOptional) throw error
        }
      }
    },
    async enter(name, pid) {
      for (const folder of Object.values(folders(name)))
        await writeFile(join(folder, 'cgroup.procs'), String(pid))
    },
    async countOomKills(name) {
      const file = version === 2 ? 'memory.events' : 'memory.oom_control'
      const text = await readIfThere(join(folderOf('memory', name), file))
      return Number(/^oom_kill (\d+)$/mu.exec(text)?.[1] ?? 0)
    },
    async mend(name, limits) {
      const differing: string[] = []
      for (const { controller, file, value } of settingsOf(limits)) {
        const path = join(folderOf(controller, name), file)
        const found = (await readIfThere(path)).trim()
        // The file is empty or absent: the sliver has ended, or this kernel has no such limit.
        if (found === '' || found === value) continue
        // When it is as an agent has written it, the node lends other amounts now, and nobody has changed anything. What an earlier agent lent is not known.
        const known = written.get(path) ?? (controller === 'cpu' ? found : null)
        if (found !== known) differing.push(`${file} is ${found} instead of ${value}`)
        await write(path, value)
      }
      return differing
    },
    async createRun(name, runId) {
      const limited = Object.values(folders(name))
      const child = `run-${runId}`
      // On hosts with both versions, that of version 2 has no limits. It is used because the kernel kills all of its processes at the same time.
      const unified = join(root, 'unified', path(name), child)
      const isInUnified = version === 1 && (await mayMake(unified))
      const folder = isInUnified ? unified : join(folderOf('pids', name), child)
      if (!isInUnified) await mkdir(folder, { recursive: true })
      const others = limited.filter((one) => one !== dirname(folder))
      return { folder, procs: [...others, folder].map((one) => join(one, 'cgroup.procs')) }
    },
    async remove(name) {
      const hierarchies = version === 2 ? [''] : await readdir(root).catch(ifMissing([]))
      for (const hierarchy of hierarchies) await removeTree(join(root, hierarchy, path(name)))
      const own = Object.values(folders(name)).map((folder) => `${folder}/`)
      for (const file of written.keys())
        if (own.some((folder) => file.startsWith(folder))) written.delete(file)
    },
    async probe() {
      const name = `probe-${process.pid}`
      try {
        if (version === 2) await delegate(parent)
        await cgroups.create(name, { memory: 64, disk: 0, cpu: 100, processes: 16 })
        return null
      } catch (error) {
        if (isErrno(error, ...forbidden)) return reasonOf(error)
        throw error
      } finally {
        await cgroups.remove(name)
      }
    },
  }
  return cgroups
}

/** Delegate the controllers. In version 2, a group's children get a controller only when it is enabled at each level above. */
async function delegate(parent: string): Promise<void> {
  const folder = join(root, parent)
  await mkdir(folder, { recursive: true })
  const levels = [folder]
  for (let at = folder; at !== root; at = dirname(at)) levels.unshift(dirname(at))
  const wanted = controllers.map((controller) => `+${controller}`).join(' ')
  for (const level of levels) {
    const given = await readIfThere(join(level, 'cgroup.subtree_control'))
    if (controllers.every((controller) => given.split(/\s/u).includes(controller))) continue
    await writeFile(join(level, 'cgroup.subtree_control'), wanted)
  }
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(ifMissing([]))
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  for (let attempt = 1; ; attempt++) {
    try {
      await rmdir(folder)
      return
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return
      if (!isErrno(error, 'EBUSY') || attempt === removeTries) throw error
    }
    await killAll(folder)
    // The kernel frees the group shortly after its last process has ended. There is no event for that.
    await delay(removeEveryMs)
  }
}

async function killAll(folder: string): Promise<void> {
  try {
    // The kernel kills all processes at the same time, so no pid can have been reused. The file exists only in version 2, since Linux 5.14.
    await writeFile(join(folder, 'cgroup.kill'), '1', { flag: 'r+' })
    return
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'EOPNOTSUPP')) throw error
  }
  const pids = (await readIfThere(join(folder, 'cgroup.procs'))).split('\n').map(Number)
  for (const pid of pids.filter((one) => one > 1)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // The process has ended by itself meanwhile.
    }
  }
}

/** Make a cgroup of version 2 beside those of version 1. Returns false when the host has none, or this user may not. */
async function mayMake(folder: string): Promise<boolean> {
  if (!(await hasFile(join(root, 'unified', 'cgroup.procs')))) return false
  try {
    await mkdir(folder, { recursive: true })
    return true
  } catch (error) {
    if (isErrno(error, ...forbidden)) return false
    throw error
  }
}

function ifMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return value
    throw error
  }
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => {
    // The group is gone, or this kernel has no such file.
    return ''
  })
}

async function hasFile(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  )
}
