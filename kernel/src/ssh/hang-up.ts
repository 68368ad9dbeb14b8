import { setTimeout as delay } from 'node:timers/promises'
import type { Lease } from './connections.ts'
import { sendSignal, type StartedCommand } from './connection.ts'

/** How long a command may take to end after SIGTERM before it gets SIGKILL, in milliseconds. */
const graceMs = 2_000
/** How long the sliver may take to report the end of a killed command, in milliseconds. */
const lastWordMs = 1_000
/** SIGTERM is repeated, because a program misses it while it starts: between fork and exec, dropbear's own handler takes the signal. */
const termRepeatMs = 250
/** The time before the first check whether the command has ended, in milliseconds. It doubles for each check after that. */
const firstLookMs = 20

/**
 * A program for the sliver's shell that ends another command of the same connection, with all processes that the command has started. It sends each signal that
 * is named on a line of its input (0: none), and exits when no process is left.
 *
 * It identifies the command as the other child of the SSH server's process for this connection. A connection carries one command at a time, and all its
 * commands are in one session. So the processes of this command are those of the session that started after it; background processes of earlier commands
 * started before. Processes in a session of their own, such as daemons, go on. The program starts no process, because the sliver may have none left.
 *
 * Source: proc_pid_stat(5). Of the fields after the name, 2 is the parent, 4 the session, and 20 the start time in ticks of 10 ms.
 */
const endingProgram = `
session= began= first=
read_stat() {
  { read -r line < "$file"; } 2>/dev/null || return 1
  pid=\${line%% *}
  set -- \${line##*) }
  parent=$2 in=$4 at=\${20}
  [ "$1" != Z ] && [ -n "$at" ] && [ "$pid" != $$ ]
}
for file in /proc/[0-9]*/stat; do
  read_stat && [ "$parent" = $PPID ] && session=$in began=$at first=$pid
done
[ -n "$session" ] || exit 1
while read -r signal; do
  found=
  for file in /proc/[0-9]*/stat; do
    read_stat && [ "$in" = "$session" ] && [ "$pid" != $PPID ] || continue
    [ "$at" -gt "$began" ] || { [ "$at" = "$began" ] && [ "$pid" -ge "$first" ]; } || continue
    found="$found $pid"
  done
  [ -n "$found" ] || exit 0
  kill -$signal $found 2>/dev/null
done
`

/**
 * End a command that nobody waits for any more, and the processes that it has started: SIGTERM, and SIGKILL two seconds later. The connection is free again
 * when the sliver reports that all of them have ended.
 */
export function hangUp(lease: Lease, command: StartedCommand): void {
  void endCommand(lease, command).then((hasEnded) => lease.end(hasEnded ? 'free' : 'lost'))
}

async function endCommand({ connection }: Lease, command: StartedCommand): Promise<boolean> {
  const isClosed = closeOf(command)
  try {
    const ending = await connection.exec(endingProgram)
    await signalUntilEnded(ending)
  } catch {
    // The sliver has no process left or no /proc, or the command has just ended. The SSH server sends the signals to the command alone.
    await signalDirectly(command, isClosed)
  }
  const hasEnded = await within(isClosed, lastWordMs)
  if (!hasEnded) command.channel.close()
  return hasEnded
}

/** Send the names of signals to the program that ends a command, until that program exits. @throws Error when it fails. */
async function signalUntilEnded(ending: StartedCommand): Promise<void> {
  const { channel } = ending
  const isClosed = closeOf(ending)
  const start = performance.now()
  let nextTermMs = 0
  for (let waitMs = firstLookMs; ; waitMs = Math.min(2 * waitMs, termRepeatMs)) {
    const passedMs = performance.now() - start
    const isTermDue = passedMs >= nextTermMs
    if (isTermDue) nextTermMs = passedMs + termRepeatMs
    channel.write(passedMs >= graceMs ? 'KILL\n' : isTermDue ? 'TERM\n' : '0\n')
    if (await within(isClosed, waitMs)) break
    if (passedMs >= graceMs + lastWordMs) {
      channel.close()
      return
    }
  }
  if (ending.exit?.exitCode !== 0) throw new Error('the program that ends a command has failed')
}

async function signalDirectly(
  { channel }: StartedCommand,
  isClosed: Promise<boolean>,
): Promise<void> {
  for (let passedMs = 0; passedMs < graceMs; passedMs += termRepeatMs) {
    sendSignal(channel, 'TERM')
    if (await within(isClosed, termRepeatMs)) return
  }
  sendSignal(channel, 'KILL')
}

/** Resolves when a command has ended. Its remaining output is dropped. */
function closeOf({ channel }: StartedCommand): Promise<boolean> {
  return new Promise((resolve) => {
    channel.once('close', () => resolve(true))
    channel.on('error', () => undefined)
    channel.resume()
    channel.stderr.resume()
  })
}

/** Tell whether something happens within a time. The timer does not keep the process alive. */
function within(happened: Promise<boolean>, waitMs: number): Promise<boolean> {
  return Promise.race([happened, delay(waitMs, false, { ref: false })])
}
