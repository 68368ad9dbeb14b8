import { measurePath } from '@community-lab/contract'
import { quote } from '../ssh/quote.ts'

/** Where a run's files are in a sliver. */
export function runFolder(runId: string): string {
  return `/tmp/community-lab/${runId}`
}

/** The wrapper's and the program's names in the run's folder; outputs are `output`, the wrapper's process `pid`. */
export const wrapperName = '.community-lab-run'
export const scriptName = '.community-lab-script'

/**
 * The program that stays in the sliver and minds a run's script: it gives it COMMUNITY_LAB_RUN, keeps its output in the file `output`, ends it when it is
 * told to (SIGTERM; SIGKILL two seconds later), and writes `run_end` when it has ended, whatever way.
 */
export function wrapperText(runId: string, to: string = measurePath): string {
  return `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo $$ > pid
export COMMUNITY_LAB_RUN=${quote(runId)}
trap 'kill -TERM -"$child" 2>/dev/null; (sleep 2; kill -KILL -"$child" 2>/dev/null) &' TERM
# A session of its own: the whole of what the script starts can be ended at once.
setsid ./${scriptName} </dev/null >output 2>&1 &
child=$!
wait "$child"
code=$?
# A signal ends the waiting, not what is waited for.
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
echo "run_end run=\\"$COMMUNITY_LAB_RUN\\" exit_code=$code" > ${quote(to)}
`
}

/** A script as a file that can be started: `/bin/sh` runs it unless its first line says otherwise. */
export function scriptText(script: string): string {
  return script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`
}

/** The command that unpacks a run's files from standard input and starts its wrapper, to outlive the connection. */
export function startCommand(folder: string): string {
  const at = quote(folder)
  return `mkdir -p ${at} && tar -x -f - -C ${at} && cd ${at} && { setsid ./${wrapperName} </dev/null >/dev/null 2>&1 & }`
}

/** The command that ends a run; nothing is wrong when it has ended already. */
export function cancelCommand(folder: string): string {
  return `pid=$(cat ${quote(folder)}/pid) && { kill -TERM "$pid" 2>/dev/null || true; }`
}
