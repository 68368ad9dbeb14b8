import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { LabError } from '@community-lab/contract'
import { inNamespace, systemPath } from '../network/namespace.ts'
import { maybeChildOf, sendSignal } from './tree.ts'

/**
 * The machine that a virtual node is: a process-id, mount and host-name namespace on the node's network. Its first process only reaps; killing it
 * powers the node off, with everything that ever ran on it.
 */
export interface NodeMachine {
  /** The argv that runs a command on the node; the command is the only child of what is started. */
  inside(argv: readonly string[]): readonly string[]
  /** Kill everything on it. */
  powerOff(): Promise<void>
}

/** Reap whatever loses its parent, for ever; `wait` is what reaps, so the sleep is in the background. */
const init = 'hostname "$0"; echo on; while :; do sleep 86400 & wait $!; done'

/** Power a node's machine on. @throws {@link LabError} LAB_VCT_COMMAND_FAILED. */
export async function powerOn(name: string, signal: AbortSignal): Promise<NodeMachine> {
  signal.throwIfAborted()
  const flags = ['--pid', '--mount', '--uts', '--fork', '--kill-child', '--mount-proc']
  const argv = inNamespace(name, ['unshare', ...flags, 'sh', '-c', init, name])
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { PATH: systemPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = await firstProcessOf(child, name, argv)
  return {
    inside: (inner) => {
      const enter = ['--target', `${pid}`, '--pid', '--mount', '--uts', '--net']
      return ['nsenter', ...enter, '--', ...inner]
    },
    async powerOff() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      sendSignal(pid, 'SIGKILL')
      await gone
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
