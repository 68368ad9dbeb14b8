import { measurePath } from '@community-lab/contract'
import { unpackCommand } from '../ssh/archive.ts'
import { quote } from '../ssh/quote.ts'
import { exportLines } from '../ssh/shell-line.ts'

/** Where a run's files are in a sliver. */
export function runFolder(runId: string): string {
  return `/tmp/community-lab/${runId}`
}

/** The wrapper's and the program's names in the run's folder; the script's output is `output`, its process group is in `pid` while it runs, in `ended` after that. */
export const wrapperName = '.community-lab-run'
export const scriptName = '.community-lab-script'

/** What a program is started with. */
export interface ProgramInput {
  readonly args?: readonly (string | number | boolean)[]
  readonly env?: Readonly<Record<string, string>>
}

/** Options of {@link wrapperText}. */
export interface WrapperOptions extends ProgramInput {
  /** Where the sample of its end goes; default: the sliver's measurement path. */
  readonly to?: string
}

/**
 * The program that supervises a run's script in the sliver: it gives the script its arguments, its environment and COMMUNITY_LAB_RUN, keeps its output in the
 * file `output`, and writes `run_end` when it has ended, whatever way. A run that was cancelled before its script began never begins.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID.
 */
export function wrapperText(runId: string, options: WrapperOptions = {}): string {
  const { args = [], env = {}, to = measurePath } = options
  const begin = `echo $$ > pid; [ ! -e cancelled ] || exit 143; exec ./${scriptName} "$@"`
  return `#!/bin/sh
cd "$(dirname "$0")" || exit 1
${exportLines(env)}export COMMUNITY_LAB_RUN=${quote(runId)}
# A session of its own: the whole of what the script starts can be ended at once. Its group is written down by itself, when there is one.
setsid sh -c ${quote(begin)} ${['-', ...args.map(String)].map(quote).join(' ')} </dev/null >output 2>&1 &
wait $!
code=$?
mv pid ended
echo "run_end run=\\"$COMMUNITY_LAB_RUN\\" exit_code=$code" > ${quote(to)}
`
}

/** A script as a file that can be started: `/bin/sh` runs it unless its first line says otherwise. */
export function scriptText(script: string): string {
  return script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
}

/**
 * The command that unpacks a run's files from standard input and starts its wrapper, to outlive the connection. It prints the sliver's time, in seconds since the
 * epoch, before anything starts, returns when the script can be ended, and fails when it cannot be started.
 */
export function startCommand(folder: string): string {
  const start = `{ setsid ./${wrapperName} </dev/null >/dev/null 2>&1 & }`
  // A script that was quick is over before it is looked for.
  const begun = '[ -s pid ] || [ -e ended ]'
  const wait = `until ${begun} || ! kill -0 $! 2>/dev/null; do sleep 0.01; done; ${begun}`
  return `${unpackCommand(folder)} && cd ${quote(folder)} && date +%s && ${start} && { ${wait}; }`
}

/**
 * The command that ends a run: SIGTERM to all that its script started, SIGKILL two seconds later. A script that is still to begin never does; nothing is wrong when
 * it has ended already.
 */
export function cancelCommand(folder: string): string {
  const kill = `{ kill -TERM -"$pid" 2>/dev/null; { setsid sh -c 'sleep 2; kill -KILL -"$1"' - "$pid" </dev/null >/dev/null 2>&1 & }; }`
  return `mkdir -p ${quote(folder)} && cd ${quote(folder)} && : > cancelled && { ! pid=$(cat pid 2>/dev/null) || ${kill}; }`
}
