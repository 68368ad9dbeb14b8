/** Uses up this process's files or processes, then does what an agent does with programs, and tells what came of it as JSON. */
import { closeSync, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { startCatcher } from '../../../../agent/src/measurement/catcher/process.ts'
import { superviseTincd } from '@community-lab/contract/host'
import { messageOf } from '@community-lab/contract'
import { watchNetwork } from '../../../../agent/src/sliver/host/changes.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'

const [what = '', dir = ''] = process.argv.slice(2)
const { signal } = new AbortController()
// The threads that read files are made with the first one; an agent has them since its start.
await stat('/')
await runCommand(['true'])
const taken: number[] = []
if (what === 'files')
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch {
    // None is left.
  }
else await runCommand(['prlimit', `--pid=${String(process.pid)}`, '--nproc=1:1'])
const came: Record<string, string> = {}
const note = (name: string) => ({
  then: (task: Promise<unknown>) =>
    task.then(
      () => (came[name] = 'done'),
      (error: unknown) => (came[name] = messageOf(error)),
    ),
})
await note('command').then(runCommand(['true']))
const options = { dir, segmentBytes: 1, maxBytes: 1, byteRate: { perSecond: 1, burst: 1 } }
await note('catcher').then(startCatcher(options, signal))
const ending = new AbortController()
const watching = watchNetwork(() => undefined, ending.signal)
const exits = Promise.withResolvers<string>()
const tincd = superviseTincd({
  dir,
  prepare: () => Promise.resolve(),
  onEvent: () => undefined,
  onExit: (reason) => exits.resolve(reason),
  onLine: () => undefined,
  signal: ending.signal,
})
came['tincd'] = await exits.promise
await delay(100)
for (const file of taken) closeSync(file)
if (what === 'files') await note('command afterwards').then(runCommand(['true']))
ending.abort()
await Promise.all([watching, tincd.ended])
console.log(JSON.stringify(came))
