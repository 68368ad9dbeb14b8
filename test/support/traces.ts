import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { foldersOf } from '../../server/vct/src/pod/folders.ts'
import type { RunningTestbed } from './testbed.ts'
import { patienceMs } from './eventually.ts'

/** What a running testbed has created on this machine. */
export interface Traces {
  readonly home: string
  readonly processes: readonly Process[]
  /** The inode numbers of the slivers' disks. */
  readonly disks: readonly number[]
}

interface Process {
  readonly pid: number
  readonly startTicks: string
  readonly name: string
}

/** Record all processes of a testbed, which are the descendants of its launcher, and its slivers' disks. */
export async function noteTraces(
  testbed: Pick<RunningTestbed, 'home' | 'launcherPid'>,
): Promise<Traces> {
  const all = await listProcesses()
  const found = new Set([testbed.launcherPid])
  // The list is not sorted by ancestry, so repeat until no process is added.
  for (let before = 0; before !== found.size;) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  const processes = all.filter(({ pid }) => found.has(pid))
  const files = await list(testbed.home, true)
  const images = files.filter((name) => name.endsWith('/disk.img'))
  const disks = images.map(async (name) => (await stat(join(testbed.home, name))).ino)
  return { home: testbed.home, processes, disks: await Promise.all(disks) }
}

/** List what is left of a testbed, in words. It first waits a moment for what disappears by itself. */
export async function leftovers(traces: Traces): Promise<readonly string[]> {
  for (const end = performance.now() + patienceMs; ;) {
    const found = await findLeftovers(traces)
    if (found.length === 0 || performance.now() > end) return found
    await delay(50)
  }
}

async function findLeftovers({ home, processes, disks }: Traces): Promise<readonly string[]> {
  const now = new Set((await listProcesses()).map(({ pid, startTicks }) => `${pid} ${startTicks}`))
  const left = processes.filter(({ pid, startTicks }) => now.has(`${pid} ${startTicks}`))
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const sockets = (await list(join(home, 'run'), true)).filter((name) => name.endsWith('.sock'))
  const spaces = await list('/run/netns', false)
  return [
    ...left.map(({ pid, name }) => `process ${pid} (${name})`),
    ...mounts.filter((line) => line.includes(home)).map((line) => `mount ${line}`),
    ...(await findCgroups(home)).map((name) => `cgroup ${name}`),
    ...(await listLoops())
      .filter((ino) => disks.includes(ino))
      .map((ino) => `loop device of ${ino}`),
    ...sockets.map((name) => `socket ${name}`),
    ...spaces.filter((name) => /^n\d+$|^relay$/u.test(name)).map((name) => `namespace ${name}`),
  ]
}

/** Find the testbed's cgroups in every hierarchy. */
async function findCgroups(home: string): Promise<readonly string[]> {
  const name = `community-lab-${foldersOf(home).hash}`
  const hierarchies = ['', ...(await list('/sys/fs/cgroup', false))]
  return hierarchies
    .map((hierarchy) => join('/sys/fs/cgroup', hierarchy, name))
    .filter((folder) => existsSync(folder))
}

/** List the inode numbers of all files that have a loop device. */
async function listLoops(): Promise<readonly number[]> {
  const argv = ['--list', '--noheadings', '--output', 'BACK-INO']
  const { stdout } = await promisify(execFile)('losetup', argv)
  return stdout.split('\n').map(Number)
}

async function listProcesses(): Promise<readonly (Process & { readonly parent: number })[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => {
        // The process has ended meanwhile.
        return ''
      })
      const close = stat.lastIndexOf(')')
      // Source: proc(5); after the name: state, parent, …, start time as the 20th. A zombie has ended.
      const fields = stat.slice(close + 2).split(' ')
      if (close === -1 || fields[0] === 'Z' || Number(pid) === process.pid) return []
      const name = stat.slice(stat.indexOf('(') + 1, close)
      const startTicks = fields[19] ?? ''
      return [{ pid: Number(pid), parent: Number(fields[1]), startTicks, name }]
    }),
  )
  return found.flat()
}

async function list(folder: string, recursive: boolean): Promise<readonly string[]> {
  return readdir(folder, { recursive }).catch(() => {
    // The folder does not exist, so it is empty.
    return []
  })
}
