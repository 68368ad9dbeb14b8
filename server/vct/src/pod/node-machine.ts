import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { LabError } from '@community-lab/contract'
import { inNamespace, systemPath } from '../network/namespace.ts'
import { maybeChildOf, sendSignal } from '../process/tree.ts'

/**
 * The machine of a virtual node: a process-id, mount and host-name namespace on the node's network, with its own boot id. Its first process
 * only reaps processes. Killing it powers the node off, which ends everything that runs on it.
 */
export interface NodeMachine {
  /** Return the argv that runs a command on the node. The command is the only child of the started process. */
  inside(argv: readonly string[]): readonly string[]
  /** Settles when nothing runs on the machine any more: with `rebooted` after {@link rebootCommand}, and with `off` otherwise. */
  readonly ended: Promise<'rebooted' | 'off'>
  /** Reboot the machine. Settles when all processes on it have ended. */
  reboot(): Promise<void>
  /** Kill all processes on the machine. */
  powerOff(): Promise<void>
}

/** The command that reboots the machine when it runs on it. The first process ends with a certain exit code, and the kernel kills all others. */
export const rebootCommand = 'kill -HUP 1'
const rebootExitCode = 64

/**
 * The machine's first process. It gives the machine a boot id, as a file that is mounted over the kernel's file. A second /proc without anything mounted over
 * it stays beside the first, because the kernel lets a container mount a /proc only where one is completely visible (`mount_too_revealing` in Linux,
 * fs/namespace.c).
 *
 * Then it reaps all processes that lose their parent. The shell reaps in `wait`, so the sleep runs in the background.
 */
const init = `set -e
hostname "$1"
mount -t tmpfs -o size=64k,mode=755 machine "$2"
mkdir "$2/proc"
mount -t proc proc "$2/proc"
echo "$3" > "$2/boot_id"
mount --bind "$2/boot_id" /proc/sys/kernel/random/boot_id
trap 'exit ${rebootExitCode}' HUP
echo on
while :; do sleep 86400 & wait $! || true; done`

/** Options of {@link powerOn}. */
export interface MachineOptions {
  /** The host name of the machine and the name of its network namespace. */
  readonly name: string
  /** An empty folder. The machine mounts its own files over it. */
  readonly place: string
  readonly signal: AbortSignal
}

/** Power a node's machine on. @throws {@link LabError} LAB_VCT_COMMAND_FAILED. */
export async function powerOn({ name, place, signal }: MachineOptions): Promise<NodeMachine> {
  signal.throwIfAborted()
  const flags = ['--pid', '--mount', '--uts', '--fork', '--kill-child', '--mount-proc']
  const first = ['sh', '-c', init, 'init', name, place, randomUUID()]
  const argv = inNamespace(name, ['unshare', ...flags, ...first])
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { PATH: systemPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<'rebooted' | 'off'>((resolve) => {
    child.once('exit', (code) => resolve(code === rebootExitCode ? 'rebooted' : 'off'))
  })
  const pid = await firstProcessOf(child, name, argv)
  return {
    inside: (inner) => {
      const enter = ['--target', `${pid}`, '--pid', '--mount', '--uts', '--net']
      return ['nsenter', ...enter, '--', ...inner]
    },
    ended,
    async reboot() {
      sendSignal(pid, 'SIGHUP')
      await ended
    },
    async powerOff() {
      if (child.exitCode === null && child.signalCode === null) sendSignal(pid, 'SIGKILL')
      await ended
    },
  }
}

async function firstProcessOf(
  child: ChildProcess,
  name: string,
  argv: readonly string[],
): Promise<number> {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = once(child, 'exit').then(
    () => 'ended' as const,
    (error: unknown) => {
      said += String(error)
      return 'ended' as const
    },
  )
  const answered = child.stdout === null ? ended : once(child.stdout, 'data')
  const first = await Promise.race([answered, ended])
  const pid = child.pid === undefined ? null : maybeChildOf(child.pid)
  if (first === 'ended' || pid === null) {
    const reason = said.trim() || 'it ended at once'
    const details = { what: `powering ${name} on`, command: argv.join(' '), reason }
    throw new LabError('LAB_VCT_COMMAND_FAILED', details)
  }
  return pid
}
