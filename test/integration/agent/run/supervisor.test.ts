import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { mkdtemp, open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { parseState } from '../../../../agent/src/run/domain/state.ts'
import { localSystemCalls } from '../../../../agent/src/system-calls.ts'

const supervisor = fileURLToPath(new URL('../../../../agent/perl/run.pl', import.meta.url))
/** Starts a program like an OCI runtime: it reads a line when it is ready and waits for another one, and is left to the caller. It hangs when there is none. */
const runtime = `use POSIX (); my ($folder, $program) = @ARGV; sleep 900 if $program eq ''; my $pid = fork();
if ($pid == 0) { POSIX::setsid(); exec '/bin/sh', '-c', 'read -r _ && read -r _ && exec sh -c "$0" </dev/null', $program }
open(my $file, '>', "$folder/pid"); print $file $pid`
const laterMs = 60_000

/** A supervisor with its folder, in a sliver that is a process of this host. */
interface World extends AsyncDisposable {
  readonly folder: string
  /** The sliver's first process. */
  readonly first: ChildProcess
  start(program: string, changes?: { readonly afterMs?: number }): ChildProcess
  hasNoted(word: string): Promise<void>
  state(): Promise<string>
  /** Read what has come into the sliver's FIFO. */
  lines(): Promise<string>
  /** Close the FIFO, as an agent and a catcher that are killed, until it is read next. */
  leaveFifo(): Promise<void>
}

async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'cl-run-'))
  const fifo = join(folder, 'measure')
  await promisify(execFile)('mkfifo', [fifo])
  const openFifo = () => open(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  let opened: FileHandle | null = await openFifo()
  const first = spawn('sleep', ['1000'])
  await writeFile(join(folder, 'first'), `${first.pid}\n`)
  const started: ChildProcess[] = [first]
  const calls = localSystemCalls()
  const state = () => readFile(join(folder, 'state'), 'utf8').catch(() => '')
  return {
    folder,
    first,
    start(program, { afterMs } = {}) {
      const startUs = afterMs === undefined ? 0 : (Date.now() + afterMs) * 1000
      const numbers = [startUs, 0, 1024 * 1024].map(String)
      const system = [fifo, String(calls?.clockGettime), String(calls?.prctl), '']
      const command = ['perl', '-e', runtime, folder, program]
      const args = [supervisor, folder, ...numbers, ...system, '--', ...command]
      const child = spawn('perl', args, { stdio: 'ignore' })
      started.push(child)
      return child
    },
    hasNoted: (word) =>
      expect.poll(state, { timeout: 20_000 }).toMatch(new RegExp(`^${word} .*\n`, 'mu')),
    state,
    async lines() {
      opened ??= await openFifo()
      const { bytesRead, buffer } = await opened.read(Buffer.alloc(65_536))
      return buffer.toString('utf8', 0, bytesRead)
    },
    async leaveFifo() {
      await opened?.close()
      opened = null
    },
    async [Symbol.asyncDispose]() {
      for (const child of started) child.kill('SIGKILL')
      // A program outlives its supervisor.
      const { program } = parseState(await state())
      if (program !== null)
        await promisify(execFile)('pkill', ['-KILL', '-s', String(program.pid)]).catch(() => null)
      await opened?.close()
      await rm(folder, { recursive: true })
    },
  }
}

it('a program that ends within a line does not take the next line with it', async () => {
  await using world = await makeWorld()
  const child = world.start(`printf "temp value=1" > ${world.folder}/measure; exit 3`)
  await once(child, 'exit')
  expect(parseState(await world.state()).end).toMatchObject({ exitCode: 3, hasEndRow: false })
  expect(await world.lines()).toBe('temp value=1\n')
})

it('what a program writes while agent and catcher are both dead waits for the next ones, and the program goes on', async () => {
  await using world = await makeWorld()
  await world.leaveFifo()
  const fifo = `${world.folder}/measure`
  world.start(`echo one > ${fifo}; echo two > ${fifo}; echo done; sleep 900`)
  await expect
    .poll(() => readFile(join(world.folder, 'output'), 'utf8').catch(() => ''))
    .toBe('done\n')
  expect(await world.lines()).toBe('one\ntwo\n')
})

it('a host that shuts down does not cancel its runs', async () => {
  await using world = await makeWorld()
  const waiting = world.start('true', { afterMs: laterMs })
  await world.hasNoted('started')
  waiting.kill()
  await once(waiting, 'exit')
  expect(parseState(await world.state())).toMatchObject({ begunUs: null, end: null })
  const running = world.start('sleep 900')
  await world.hasNoted('begun')
  running.kill()
  await once(running, 'exit')
  expect(parseState(await world.state()).end).toMatchObject({ signal: 15, reason: 'lost' })
})

it('a program begins by the monotonic clock once that time is known, and by the wall clock while it is not, or is of another boot', async () => {
  await using world = await makeWorld()
  const start = join(world.folder, 'start')
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const first = world.start('true', { afterMs: laterMs })
  const ended = once(first, 'exit')
  await world.hasNoted('started')
  const beginUs = Number(process.hrtime.bigint() / 1000n) + 300_000
  const wallUs = Date.now() * 1000 + 300_000
  await writeFile(`${start}.new`, `${boot} ${beginUs}\n`)
  await rename(`${start}.new`, start)
  await ended
  // The wall clock of Node.js has whole milliseconds.
  expect(parseState(await world.state()).begunUs).toBeGreaterThanOrEqual(wallUs - 1000)
  await using other = await makeWorld()
  await writeFile(join(other.folder, 'start'), `of-another-boot ${beginUs + 900e6}\n`)
  await once(other.start('true', { afterMs: 500 }), 'exit')
  expect(parseState(await other.state()).end).toMatchObject({ exitCode: 0 })
})

it('a run that is cancelled while its runtime hangs ends', async () => {
  await using world = await makeWorld()
  const child = world.start('')
  await world.hasNoted('supervisor')
  await writeFile(join(world.folder, 'cancel'), '')
  await once(child, 'exit')
  expect(parseState(await world.state()).end).toMatchObject({ reason: 'cancelled' })
})

it('a line that a power cut has left incomplete stays absent', async () => {
  await using world = await makeWorld()
  await writeFile(join(world.folder, 'state'), 'supervisor 1 1 other\nstarted 2 2\nbegun 17960')
  world.start('true', { afterMs: laterMs })
  await expect.poll(() => world.state(), { timeout: 20_000 }).toMatch(/\n.*\n.*\nstarted .*\n/u)
  expect(parseState(await world.state())).toMatchObject({ begunUs: null, end: null })
})

it('a program does not begin when the sliver that it was started for has ended', async () => {
  await using world = await makeWorld()
  const child = world.start('true', { afterMs: 2000 })
  await world.hasNoted('started')
  world.first.kill('SIGKILL')
  await once(child, 'exit')
  expect(parseState(await world.state())).toMatchObject({ begunUs: null, end: null })
})

it('a runtime that ends with its sliver is no failure of the run', async () => {
  await using world = await makeWorld()
  const child = world.start('')
  const exited = once(child, 'exit')
  await world.hasNoted('supervisor')
  await expect
    .poll(() => promisify(execFile)('pkill', ['-P', String(child.pid)]).catch(() => null))
    .not.toBe(null)
  await delay(200)
  world.first.kill('SIGKILL')
  await exited
  expect(parseState(await world.state())).toMatchObject({ begunUs: null, end: null })
})

it('a program that writes fast takes little of the processor for its supervisor', async () => {
  await using world = await makeWorld()
  const child = world.start('exec yes')
  await world.hasNoted('begun')
  const usedMs = async (): Promise<number> => {
    const fields = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(' ')
    return (Number(fields[13]) + Number(fields[14])) * 10
  }
  const [beganMs, before] = [Date.now(), await usedMs()]
  await delay(1500)
  expect(((await usedMs()) - before) / (Date.now() - beganMs)).toBeLessThan(0.2)
})

it('a program that waits does not begin when the data of the node is replaced by a copy', async () => {
  await using world = await makeWorld()
  const child = world.start('true', { afterMs: 2_000 })
  const ended = once(child, 'exit')
  await world.hasNoted('started')
  await rm(join(world.folder, 'lock'))
  await writeFile(join(world.folder, 'lock'), '')
  expect(await ended).toEqual([0, null])
  expect(await world.state()).not.toContain('begun')
})
