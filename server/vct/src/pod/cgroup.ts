import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@community-lab/contract'
import { sendSignal } from '../process/tree.ts'

const root = '/sys/fs/cgroup'
const needed = ['memory', 'pids', 'cpu']

/**
 * Create the cgroup that contains the cgroups of all slivers of a testbed, in every hierarchy that this user may write to. Returns its name, which is its path
 * below the root of each hierarchy, without a leading slash. When limits cannot be enforced, it returns what the host lacks.
 */
export async function createCgroupParent(
  hash: string,
): Promise<{ name: string } | { lacks: string }> {
  const name = parentName(hash)
  const hierarchies = await findHierarchies()
  if (hierarchies.length === 0) return { lacks: noLimits('there are no cgroups') }
  for (const dir of hierarchies) {
    if (!(await isWritable(dir))) return { lacks: noLimits(`${dir} is not writable`) }
  }
  try {
    for (const dir of hierarchies) {
      await mkdir(join(dir, name), { recursive: true })
      if (await isUnified(dir)) await delegateControllers(dir, name)
    }
  } catch (error) {
    await removeCgroupParent(hash)
    return { lacks: noLimits(messageOf(error)) }
  }
  return { name }
}

/** Remove the cgroups of a testbed, and kill the processes in them. Does nothing when there are none. */
export async function removeCgroupParent(hash: string): Promise<void> {
  for (const entry of ['', ...(await list(root))]) {
    const parent = join(root, entry, parentName(hash))
    if (await exists(parent)) await removeTree(parent)
  }
}

function parentName(hash: string): string {
  return `community-lab-${hash}`
}

function noLimits(reason: string): string {
  return `Slivers have no limits of memory, processes and CPU, for ${reason}.`
}

/** Return the root when cgroup2 alone is mounted there, and otherwise the hierarchies of version 1 with the controllers for limits. */
async function findHierarchies(): Promise<readonly string[]> {
  if (await isUnified(root)) return [root]
  const entries = await list(root)
  if (!needed.every((controller) => entries.includes(controller))) return []
  return entries.filter((entry) => entry !== 'unified').map((entry) => join(root, entry))
}

async function isUnified(dir: string): Promise<boolean> {
  return exists(join(dir, 'cgroup.controllers'))
}

async function delegateControllers(dir: string, name: string): Promise<void> {
  const wanted = needed.map((controller) => `+${controller}`).join(' ')
  for (const at of [dir, join(dir, name)]) {
    const given = await readFile(join(at, 'cgroup.subtree_control'), 'utf8')
    if (needed.every((controller) => given.split(/\s/u).includes(controller))) continue
    await writeFile(join(at, 'cgroup.subtree_control'), wanted)
  }
}

async function removeTree(dir: string): Promise<void> {
  for (const entry of await list(dir)) await removeTree(join(dir, entry))
  // A process that was just killed keeps its cgroup for a moment.
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      await rmdir(dir)
      return
    } catch (error) {
      if (!isBusy(error)) return
      for (const pid of await processesIn(dir)) sendSignal(pid, 'SIGKILL')
      await delay(20)
    }
  }
}

async function processesIn(dir: string): Promise<readonly number[]> {
  const text = await readFile(join(dir, 'cgroup.procs'), 'utf8').catch(() => {
    // The cgroup was removed meanwhile.
    return ''
  })
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1)
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EBUSY'
}

/** List the folders in a folder. Returns none when the folder does not exist. */
async function list(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => {
    // The folder does not exist, or was removed meanwhile.
    return []
  })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}
