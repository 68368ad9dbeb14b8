import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Lab } from '../../../../kernel/src/lab.ts'
import type { CommandResult } from '../../../../kernel/src/ssh/result.ts'
import type { Sliver } from '../../../../kernel/src/sliver/sliver.ts'
import { openLab } from '../world/lab.ts'
import { startWorld, type World } from '../world/testbed.ts'
import { eventually } from '../../../support/eventually.ts'

let world: World
let lab: Lab
let sliver: Sliver

beforeAll(async () => {
  world = await startWorld(1)
  lab = openLab(world)
  sliver = (await lab.slices.get('first')).sliver('n1')
})

afterAll(async () => {
  await lab.close()
  await world.close()
})

it('runs hundreds of simultaneous commands, each exactly once', async () => {
  await sliver.sh`: > /tmp/count`
  const numbers = Array.from({ length: 400 }, (_, index) => index)
  const results = await Promise.all(
    numbers.map((number) => sliver.sh`echo ${number} | tee -a /tmp/count`),
  )
  expect(results.map(({ stdout }) => Number(stdout))).toEqual(numbers)
  const counted = (await sliver.sh`sort -n /tmp/count`).stdout.trim().split('\n')
  expect(counted.map(Number)).toEqual(numbers)
})

it('runs a command while many others have no end', async () => {
  const stop = new AbortController()
  const endless = Array.from({ length: 20 }, () =>
    sliver.exec('sleep 300', { signal: stop.signal }).catch(() => null),
  )
  expect((await sliver.sh`echo through`).stdout).toBe('through\n')
  stop.abort()
  await Promise.all(endless)
  // A command that is given up is ended in the sliver, although its input has ended.
  await eventually(async () => expect(await processesOf('sleep 300')).toBe(''))
})

const processesOf = async (pattern: string): Promise<string> =>
  (await sliver.sh`pgrep -fx ${pattern}`).stdout.trim()

it('ends the processes of a command at its time limit, and no others', async () => {
  // The connection carries the next command too.
  const before = await sliver.sh`sleep 4710 & echo $!`
  const runUntil = async (timeoutMs: number): Promise<CommandResult> => {
    const late = await sliver.sh({ timeoutMs })`
      (sleep 4711 &); sleep 4711 & sh -c 'sleep 4711; true' & setsid sh -c 'echo left; exec sleep 4712' & sleep 4711; true`
    // On a slow machine the time may be over before the program that leaves the command has done so.
    return late.stdout === 'left\n' ? late : runUntil(4 * timeoutMs)
  }
  expect((await runUntil(300)).error?.code).toBe('LAB_COMMAND_TIMEOUT')
  await eventually(async () => expect(await processesOf('sleep 4711')).toBe(''))
  expect(await processesOf('sleep 4710')).toBe(before.stdout.trim())
  await eventually(async () => expect(await processesOf('sleep 4712')).not.toBe(''))
  await sliver.sh`pkill -fx 'sleep 471[02]'`
})

it('kills processes that ignore SIGTERM', async () => {
  const stop = new AbortController()
  const deaf = sliver.exec(`trap '' TERM; echo deaf; sleep 4713 & sleep 4713; sleep 4713`, {
    signal: stop.signal,
  })
  await eventually(async () => expect(await processesOf('sleep 4713')).not.toBe(''))
  stop.abort()
  await expect(deaf).rejects.toThrow(/abort/iu)
  await eventually(async () => expect(await processesOf('sleep 4713')).toBe(''))
})

it('returns when the command ends, and leaves its background processes', async () => {
  const result = await sliver.sh`sleep 301 & echo $!`
  expect(result.durationMs).toBeLessThan(300_000)
  const pid = result.stdout.trim()
  expect((await sliver.sh`kill ${pid}`).ok).toBe(true)
  const daemon = await sliver.exec('setsid sleep 302 >/dev/null 2>&1 </dev/null & echo $!')
  expect((await sliver.sh`kill ${daemon.stdout.trim()}`).ok).toBe(true)
})

it('runs in a folder, with variables and a time limit', async () => {
  await sliver.sh`mkdir -p ${'/tmp/a b'}`
  const env = { GREETING: 'it\'s "$HOME"', N: '1' }
  const result = await sliver.sh({ cwd: '/tmp/a b', env })`pwd; echo "$GREETING$N"; true; pwd`
  expect(result.stdout).toBe('/tmp/a b\nit\'s "$HOME"1\n/tmp/a b\n')
  const nowhere = await sliver.exec('echo ran', { cwd: '/no/such' })
  expect([nowhere.ok, nowhere.stdout]).toEqual([false, ''])
  expect(nowhere.stderr).toContain('/no/such')
  const late = await sliver.sh({ timeoutMs: 300 })`sleep 30`
  expect(late.error?.code).toBe('LAB_COMMAND_TIMEOUT')
  await expect(sliver.exec('true', { env: { 'A B': '' } })).rejects.toThrow(/variable's name/u)
})

it('takes time limits of any length, and no other values', async () => {
  for (const timeoutMs of [Infinity, 30 * 86_400_000])
    expect((await sliver.exec('true', { timeoutMs })).ok).toBe(true)
  for (const timeoutMs of [Number.NaN, -1])
    await expect(sliver.exec('true', { timeoutMs })).rejects.toThrow(/timeoutMs/u)
})

it('refuses a command that is too long for SSH servers, before it is sent', async () => {
  await expect(sliver.exec(`echo ${'x'.repeat(10_000)}`)).rejects.toThrow(/upload it as a file/u)
  expect((await sliver.exec(`: ${'x'.repeat(8_800)}`)).ok).toBe(true)
})

it('has output as bytes, and throws for a failure only when asked to', async () => {
  const result = await sliver.exec("printf '\\377\\000\\n'")
  expect([...result.orThrow().stdoutBytes]).toEqual([255, 0, 10])
  const failed = await sliver.exec('echo because >&2; exit 3')
  expect(() => failed.orThrow()).toThrow(/exit code 3: because/u)
  expect(JSON.stringify(failed)).not.toContain('stdoutBytes')
})

it('explains its use when sh is called as a function', () => {
  const called = sliver.sh as unknown as (text: string) => unknown
  expect(() => Reflect.apply(called, sliver, ['ls'])).toThrow(/exec\(text\)/u)
})
