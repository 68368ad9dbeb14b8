import { setTimeout as delay } from 'node:timers/promises'
import type { Lease } from './connections.ts'
import { sendSignal, type StartedCommand } from './connection.ts'

/** How long a command that was told to end may take before it is killed. */
const graceMs = 2_000
/** How long the sliver may take to tell that it is dead. */
const lastWordMs = 1_000
/** SIGTERM is repeated, because a program does not get a signal while it begins: between fork and exec, dropbear's own handler takes it. */
const termRepeatMs = 250
/** When it is asked for the first time whether the command has ended; each time after that comes twice as late. */
const firstLookMs = 20

/**
 * A program for the sliver's shell that ends another command of the same connection, with all processes that it has started. It sends each signal that is named on a line
 * of its input (0: none), and ends when no process is left.
 *
 * It knows the command as the other child of the SSH server's process for this connection. A connection carries one command at a time, and all of its commands are in one
 * session; so the processes of this command are those of the session that began after it. What earlier commands left in the background began before. What has a session of its
 * own, as a daemon has, goes on. Nothing here starts a process: the sliver may have none left.
 *
 * Source: proc_pid_stat(5); of the fields after the name, 2 is the parent, 4 the session, 20 the time at which it began, in ticks of 10 ms.
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
 * End a command that nobody waits for any more, with what it has started: SIGTERM, and SIGKILL two seconds later. Its connection is free for others when the sliver
 * says that all of it has ended.
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
    // The sliver has no process left or no /proc, or the command has just ended: it gets the signals itself, from its SSH server.
    await signalDirectly(command, isClosed)
  }
  const hasEnded = await within(isClosed, lastWordMs)
  if (!hasEnded) command.channel.close()
  return hasEnded
}

/** Name signals to the program that ends a command, until it ends itself. @throws Error when it fails. */
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

/** Settles when a command has ended; what it still writes is thrown away. */
function closeOf({ channel }: StartedCommand): Promise<boolean> {
  return new Promise((resolve) => {
    channel.once('close', () => resolve(true))
    channel.on('error', () => undefined)
    channel.resume()
    channel.stderr.resume()
  })
}

/** Whether something has happened within a time. It keeps no process alive. */
function within(happened: Promise<boolean>, waitMs: number): Promise<boolean> {
  return Promise.race([happened, delay(waitMs, false, { ref: false })])
}
