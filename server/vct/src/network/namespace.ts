import { spawn } from 'node:child_process'
import { LabError } from '@community-lab/contract'
import type { NamespaceScript } from './commands.ts'

/** The folders of Debian's network commands, which an ordinary user's PATH may lack. */
export const systemPath = '/usr/sbin:/usr/bin:/sbin:/bin'

/** Options of {@link runScript}. */
export interface RunOptions {
  readonly signal?: AbortSignal
}

/** Return the file of a named namespace, which is needed to enter it. */
function namespaceFile(name: string): string {
  return `/run/netns/${name}`
}

/** Return the argv that runs a command in a named network namespace, with the mounts of this process (unlike `ip netns exec`, which hides the cgroups). */
export function inNamespace(name: string, argv: readonly string[]): readonly string[] {
  return ['nsenter', `--net=${namespaceFile(name)}`, '--', ...argv]
}

/**
 * Run the commands of a script in its namespace, one after the other, and stop at the first one that fails. Returns their output.
 *
 * @throws {@link LabError} LAB_VCT_COMMAND_FAILED with the command and its message.
 */
export async function runScript(
  script: NamespaceScript,
  options: RunOptions = {},
): Promise<string> {
  if (script.commands.length === 0) return ''
  // One shell runs all commands, because a testbed of 20 nodes needs hundreds. The shell prints the number of each command before it, which tells the one that
  // failed.
  const text = script.commands
    .map((argv, index) => `echo ${index} >&3; ${argv.map(quote).join(' ')}`)
    .join('\n')
  const shell = ['sh', '-e', '-c', text]
  const argv = script.namespace === null ? shell : inNamespace(script.namespace, shell)
  const result = await run(argv, options)
  if (result.exitCode === 0) return result.stdout
  const culprit = script.commands[result.lastCommand] ?? []
  throw new LabError('LAB_VCT_COMMAND_FAILED', {
    what: `setting up ${script.namespace ?? "the server's namespace"}`,
    command: culprit.join(' '),
    reason: result.stderr.trim().replaceAll('\n', '; ') || `exit code ${result.exitCode}`,
  })
}

interface ScriptResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly lastCommand: number
}

function run(argv: readonly string[], options: RunOptions): Promise<ScriptResult> {
  const [command = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { PATH: systemPath, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    const texts = ['', '', '']
    const streams = [child.stdout, child.stderr, child.stdio[3]] as const
    streams.forEach((stream, index) => {
      stream?.on('data', (chunk: Buffer) => {
        texts[index] = `${texts[index] ?? ''}${chunk.toString()}`
      })
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const [stdout = '', stderr = '', progress = ''] = texts
      const lastCommand = Number(progress.trim().split('\n').at(-1) ?? '0')
      resolve({ exitCode: code ?? -1, stdout, stderr, lastCommand })
    })
  })
}

function quote(word: string): string {
  return /^[\w.:/=,+-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
