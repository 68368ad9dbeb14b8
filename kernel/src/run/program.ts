import { measurePath } from '@community-lab/contract'
import { quote } from '../ssh/quote.ts'

/** Where a run's files are in a sliver. */
export function runFolder(runId: string): string {
  return `/tmp/community-lab/${runId}`
}

/** The wrapper's and the program's names in the run's folder; the script's output is `output`, its process group is in `pid` while it runs, in `ended` after that. */
export const wrapperName = '.community-lab-run'
export const scriptName = '.community-lab-script'

/**
 * The program that stays in the sliver and minds a run's script: it gives it COMMUNITY_LAB_RUN, keeps its output in the file `output`, and writes `run_end`
 * when it has ended, whatever way.
 */
export function wrapperText(runId: string, to: string = measurePath): string {
  return `#!/bin/sh
cd "$(dirname "$0")" || exit 1
export COMMUNITY_LAB_RUN=${quote(runId)}
# A session of its own: the whole of what the script starts can be ended at once. Its group is written down by itself, when there is one.
setsid sh -c 'echo $$ > pid && exec ./${scriptName}' </dev/null >output 2>&1 &
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
 * The command that unpacks a run's files from standard input and starts its wrapper, to outlive the connection. It returns when the script can be ended,
 * and fails when it cannot be started.
 */
export function startCommand(folder: string): string {
  const at = quote(folder)
  const unpack = `mkdir -p ${at} && tar -x -f - -C ${at} && cd ${at}`
  const start = `{ setsid ./${wrapperName} </dev/null >/dev/null 2>&1 & }`
  // A script that was quick is over before it is looked for.
  const begun = '[ -s pid ] || [ -e ended ]'
  const wait = `until ${begun} || ! kill -0 $! 2>/dev/null; do sleep 0.01; done; ${begun}`
  return `${unpack} && ${start} && { ${wait}; }`
}

/** The command that ends a run: SIGTERM to all that its script started, SIGKILL two seconds later. Nothing is wrong when it has ended already. */
export function cancelCommand(folder: string): string {
  const kill = `{ kill -TERM -"$pid" 2>/dev/null; { setsid sh -c 'sleep 2; kill -KILL -"$1"' - "$pid" </dev/null >/dev/null 2>&1 & }; }`
  return `cd ${quote(folder)} && { ! pid=$(cat pid 2>/dev/null) || ${kill}; }`
}
