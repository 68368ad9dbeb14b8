import { measurePath } from '@community-lab/contract'
import { unpackCommand } from '../ssh/archive.ts'
import { quote } from '../ssh/quote.ts'
import { exportLines } from '../ssh/shell-line.ts'

/** Return the folder of a run's files in a sliver. */
export function runFolder(runId: string): string {
  return `/tmp/community-lab/${runId}`
}

/**
 * The name of the wrapper in the folder of a run. In the same folder, `output` has the script's output. `pid` has its process group while it runs; `ended` has
 * it afterwards.
 */
export const wrapperName = '.community-lab-run'
export const scriptName = '.community-lab-script'

/** The arguments, environment and files of a program. */
export interface ProgramInput {
  readonly args?: readonly (string | number | bigint | boolean)[]
  readonly env?: Readonly<Record<string, string>>
}

/** Options of {@link wrapperText}. */
export interface WrapperOptions extends ProgramInput {
  /** The path to which the sample of its end is written; default: the sliver's measurement path. */
  readonly to?: string
}

/**
 * Write the wrapper: the program that supervises the script of a run in a sliver. It gives the script its arguments, its environment and COMMUNITY_LAB_RUN,
 * writes its output to the file `output`, and writes `run_end` when the script has ended in any way. It does not start the script of a run that was cancelled
 * before.
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

/** Return a script as the content of an executable file. `/bin/sh` runs it unless its first line names another interpreter. */
export function scriptText(script: string): string {
  return script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
}

/**
 * Return the command that unpacks the files of a run from standard input and starts the wrapper, which outlives the connection. It prints the sliver's time, in
 * seconds since the epoch, before anything starts. It returns when the script can be cancelled. It fails when the script cannot be started.
 */
export function startCommand(folder: string): string {
  const start = `{ setsid ./${wrapperName} </dev/null >/dev/null 2>&1 & }`
  // A short script may have ended before this check.
  const begun = '[ -s pid ] || [ -e ended ]'
  const wait = `until ${begun} || ! kill -0 $! 2>/dev/null; do sleep 0.01; done; ${begun}`
  return `${unpackCommand(folder)} && cd ${quote(folder)} && date +%s && ${start} && { ${wait}; }`
}

/**
 * Return the command that ends a run: SIGTERM to all processes of its script, and SIGKILL two seconds later. A script that has not begun never begins. A script
 * that has ended already is no error.
 */
export function cancelCommand(folder: string): string {
  const kill = `{ kill -TERM -"$pid" 2>/dev/null; { setsid sh -c 'sleep 2; kill -KILL -"$1"' - "$pid" </dev/null >/dev/null 2>&1 & }; }`
  return `mkdir -p ${quote(folder)} && cd ${quote(folder)} && : > cancelled && { ! pid=$(cat pid 2>/dev/null) || ${kill}; }`
}
