import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { exists, isAbsent } from '../../errno.ts'
import {
  withEmptyRoot,
  withoutCgroups,
  withBundleMounts,
  type Bundle,
  type BundlePlaces,
} from './bundle.ts'
import { reasonOf, runCommand } from './command.ts'
import { identifyProcess, type ProcessIdentity } from './process.ts'

/** The supported OCI runtimes. */
export const runtimeNames = ['crun', 'runc'] as const
export type RuntimeName = (typeof runtimeNames)[number]

/** An OCI runtime. A created container does not run its first program yet, so that its network can be made. */
export interface OciRuntime {
  readonly name: RuntimeName
  /** Whether it always makes cgroups. Then it gets the path of those that the agent has made. */
  readonly makesCgroups: boolean
  /** The compiled seccomp profile of the first container that it created, in base64. All containers have the same profile. Null: not known. */
  readonly seccompProgram: string | null
  /** Create a container from a bundle. Returns the pid of its first process. */
  create(name: string, bundle: Bundle, signal: AbortSignal): Promise<number>
  /** Let a container run its first program. */
  start(name: string, signal: AbortSignal): Promise<void>
  /** Return the command that starts a process in a container from its description, writes its pid into a file, and leaves it to its caller's subreaper. */
  execCommand(name: string, files: ExecFiles): readonly string[]
  /** List the names of all containers that were created and not destroyed. */
  names(): Promise<readonly string[]>
  /** Find the first process of a container, if it runs. */
  find(name: string): Promise<ProcessIdentity | null>
  /** Kill a container, and delete its state. Idempotent. */
  destroy(name: string): Promise<void>
}

/** The files of a process that is started in a running container. */
export interface ExecFiles {
  /** Whether it has file descriptor 3 of whoever runs the command. */
  readonly keepsDescriptor?: boolean
  /** What to run: a `process` of the OCI runtime specification, as JSON. */
  readonly process: string
  readonly pid: string
  readonly log: string
}

/** Options of {@link createRuntime}. */
export interface RuntimeOptions {
  readonly name: RuntimeName
  /** The folder in which it keeps the state of its containers. */
  readonly stateDir: string
  readonly places: BundlePlaces
  /** Whether slivers have cgroups on this host. */
  readonly hasCgroups: boolean
}

/**
 * Make an OCI runtime.
 *
 * crun refuses hosts that have both versions of cgroups, and silently leaves processes in the root group if it may not do more. So it does not see cgroups, and the agent makes
 * them. runc as root always makes them itself.
 */
export function createRuntime(options: RuntimeOptions): OciRuntime {
  const { name: command, stateDir, places, hasCgroups } = options
  const makesCgroups = command === 'runc' && hasCgroups
  const hidesCgroups = command === 'crun'
  const stateFile = command === 'crun' ? 'status' : 'state.json'
  const argv = (...args: readonly string[]): readonly string[] => [
    command,
    '--root',
    stateDir,
    ...(command === 'crun' ? ['--cgroup-manager=disabled'] : []),
    ...args,
  ]
  let seccompProgram: string | null = null
  return {
    name: command,
    makesCgroups,
    get seccompProgram() {
      return seccompProgram
    },
    async create(name, bundle, signal) {
      await mkdir(stateDir, { recursive: true, mode: 0o700 })
      const pidFile = join(bundle.folder, 'pid')
      const logFile = join(bundle.folder, 'runtime.log')
      await Promise.all([rm(pidFile, { force: true }), rm(logFile, { force: true })])
      const create = ['create', '--bundle', places.bundle, '--pid-file', pidFile, name]
      const mounted = await withBundleMounts(bundle, places, {
        hidesCgroups,
        argv: argv('--log', logFile, ...create),
      })
      try {
        await runCommand(mounted, { signal })
      } catch (error) {
        if (signal.aborted) throw error
        const reason = (await lastLine(logFile)) ?? reasonOf(error)
        const details = { command: `${command} create ${name}`, reason }
        throw new LabError('LAB_SLIVER_COMMAND_FAILED', details, { cause: error })
      }
      seccompProgram ??= await readSeccompProgram(join(stateDir, name, 'seccomp.bpf'))
      return Number(await readFile(pidFile, 'utf8'))
    },
    async start(name, signal) {
      // A runtime does not read cgroups when it starts a container. Source: crun, libcrun_container_start; runc, its own start.
      await runCommand(argv('start', name), { signal })
    },
    execCommand(name, { process, pid, log, keepsDescriptor = false }) {
      const kept = keepsDescriptor ? ['--preserve-fds', '1'] : []
      const exec = ['exec', '--detach', ...kept, '--pid-file', pid, '--process', process, name]
      const command = argv('--log', log, ...exec)
      return hidesCgroups ? withoutCgroups(true, command) : withEmptyRoot(places, command)
    },
    async names() {
      return readdir(stateDir).catch((error: unknown) => {
        // No container was ever created.
        if (isAbsent(error)) return []
        throw error
      })
    },
    async find(name) {
      const state = await readState(join(stateDir, name, stateFile))
      const found = state === null ? null : identifyProcess(state.pid)
      return found?.startTicks === state?.startTicks ? found : null
    },
    async destroy(name) {
      if (!(await exists(join(stateDir, name)))) return
      const deletion = withoutCgroups(hidesCgroups, argv('delete', '--force', name))
      await runCommand(deletion).catch(async (error: unknown) => {
        // A container that was not completely created cannot be deleted. Nothing of it runs, and its state is removed below.
        if (await exists(join(stateDir, name, stateFile))) throw error
      })
      await rm(join(stateDir, name), { recursive: true, force: true })
    },
  }
}

/**
 * Read the program that crun keeps for a container's seccomp profile: a list of instructions of the kernel, 8 bytes each. null when there is none; runc keeps
 * none.
 */
async function readSeccompProgram(file: string): Promise<string | null> {
  const program = await readFile(file).catch((error: unknown) => {
    if (isAbsent(error)) return Buffer.alloc(0)
    throw error
  })
  return program.length === 0 || program.length % 8 !== 0 ? null : program.toString('base64')
}

async function lastLine(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => {
    // The runtime ended before it wrote anything.
    return ''
  })
  const line = text.trim().split('\n').at(-1) ?? ''
  const message = /msg="((?:[^"\\]|\\.)*)"/u.exec(line)?.[1] ?? line
  return message === '' ? null : message.replace(/^\S+Z: /u, '').replaceAll('\\"', '"')
}

/** Read the first process from the state that a runtime keeps. Source: crun, libcrun_write_container_status; runc, libcontainer BaseState. */
async function readState(
  file: string,
): Promise<{ readonly pid: number; readonly startTicks: number } | null> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isAbsent(error)) return ''
    throw error
  })
  const number = (members: string): number =>
    Number(new RegExp(`"(?:${members})"\\s*:\\s*(\\d+)`, 'u').exec(text)?.[1])
  const pid = number('pid|init_process_pid')
  const startTicks = number('process-start-time|init_process_start')
  return Number.isNaN(pid) || Number.isNaN(startTicks) ? null : { pid, startTicks }
}
