import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { SampleRecord } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { cutsOf, writeImage, type Cut, type Image } from '../../../support/power/disk.ts'
import { ServerModel } from './server-model.ts'
import { createFolder, sampleOf } from './world.ts'

/** The images of a power cut in one test. `POWER_CUTS` sets more, `POWER_SEED` where their seeds begin. */
const most = Number(process.env['POWER_CUTS'] ?? 300)
const seed = Number(process.env['POWER_SEED'] ?? 1)

type SpoolEvent =
  | { readonly begun: readonly number[] }
  | { readonly appended: readonly number[]; readonly isTaken: boolean }
  | { readonly safe: number }
  | { readonly spool: string; readonly committed: readonly SampleRecord[] }

it('has each sample once that was safe when the power was cut, and none twice, whatever the disk had by then', async () => {
  await using folder = await createFolder()
  const record = join(folder.path, 'record')
  const root = join(folder.path, 'root')
  await mkdir(root)
  await run('recorded-spool.ts', [join(root, 'spool'), String(seed)], { record, root })
  let cuts = 0
  for (const cut of cutsOf(record, { root, perMoment: 4, most, seed })) {
    // In memory, because what is synced from here on needs no disk.
    const dir = await mkdtemp('/dev/shm/power-cut-')
    writeImage(cut.image, dir)
    await checkSpool(cut, join(dir, 'spool'))
    await rm(dir, { recursive: true })
    cuts++
  }
  expect(cuts).toBeGreaterThan(most / 2)
})

it('has no line twice and none by halves, and each that was safe, when the power of a node with catcher and slivers was cut', async () => {
  await using folder = await createFolder()
  const record = join(folder.path, 'record')
  const root = join(folder.path, 'root')
  await mkdir(root)
  const bin = join(folder.path, 'bin')
  await mkdir(bin)
  const perl = execFileSync('sh', ['-c', 'command -v perl'], { encoding: 'utf8' }).trim()
  const modules = join(import.meta.dirname, '../../../support/power')
  const recorded = `#!/bin/sh\nexec ${perl} '-I${modules}' '-MRecordSteps=${record},${root}' "$@"\n`
  await writeFile(join(bin, 'perl'), recorded, { mode: 0o755 })
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
  await run('recorded-agent.ts', [root, String(seed)], { record, root, env })
  const cuts = { root, perMoment: 1, most: most / 15, seed }
  let count = 0
  for (const cut of cutsOf(record, cuts)) {
    await using left = await createFolder('/dev/shm')
    writeImage(inAnotherBoot(cut.image), left.path)
    await checkNode(cut, left.path)
    count++
  }
  expect(count).toBeGreaterThan(most / 30)
})

/** The files as they are after the host was started again: streams are of a boot. */
function inAnotherBoot(image: Image): Image {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return new Map(
    [...image].map(([path, content]) => {
      const isStream = path.endsWith('/stream')
      const text = content?.toString('latin1').replace(boot, randomUUID())
      return [path, isStream && text !== undefined ? Buffer.from(text, 'latin1') : content]
    }),
  )
}

/** Let a node begin again with what a power cut has left, and compare what the server has in the end with what was before. */
async function checkNode({ events, steps, seed: ofCut }: Cut, dir: string): Promise<void> {
  const server = new ServerModel()
  let begun = 0
  let safe = 0
  for (const event of events as readonly SpoolEvent[])
    if ('committed' in event) server.take(event.spool, event.committed)
    else if ('safe' in event) safe = event.safe
    else if ('begun' in event) begun = event.begun.at(-1) ?? begun
  const problems: unknown[] = []
  const onProblem = (error: unknown): void => void problems.push(error)
  const spool = await openSpool(join(dir, 'spool'), { syncGapMs: 1, onProblem })
  const streams = createSliverStreams({ spool, dir: join(dir, 'catchers') })
  for (const [at, sliver] of ['1@1', '2@1'].entries()) {
    const measure = join(dir, 'measure', sliver)
    await streams.ensure(sliver, measure)
    const later = 1_000_000 + at
    await appendFile(join(measure, 'measure'), `count value=${later} sum=${later * 7}\n`)
    await streams.remove(sliver)
  }
  await server.drain(spool)
  await streams.stop()
  await spool.close()
  const counted = server.rows.filter(({ name }) => name === 'count')
  const rows = counted.map(
    ({ fields }) => [Number(fields['value']), Number(fields['sum'])] as const,
  )
  const values = rows.map(([value]) => value).sort((a, b) => a - b)
  const has = new Set(values)
  expect({
    ...{ steps, ofCut, problems },
    twice: values.filter((value, at) => values[at - 1] === value),
    lost: Array.from({ length: safe }, (_, at) => at + 1).filter((value) => !has.has(value)),
    foreign: rows.filter(
      ([value, sum]) => sum !== value * 7 || (value > begun && value < 1_000_000),
    ),
    later: values.filter((value) => value >= 1_000_000),
  }).toEqual({
    ...{ steps, ofCut, problems: [] },
    ...{ twice: [], lost: [], foreign: [], later: [1_000_000, 1_000_001] },
  })
}

/** Go on with what a power cut has left of a spool, and compare what the server has in the end with what was before. */
async function checkSpool({ events, steps, seed: ofCut }: Cut, dir: string): Promise<void> {
  const server = new ServerModel()
  const begun: number[] = []
  const taken: number[] = []
  let dropped = 0
  let safe = 0
  for (const event of events as readonly SpoolEvent[])
    if ('committed' in event) server.take(event.spool, event.committed)
    else if ('safe' in event) safe = event.safe
    else if ('begun' in event) begun.push(...event.begun)
    else if (event.isTaken) taken.push(...event.appended)
    else dropped += event.appended.length
  const problems: unknown[] = []
  const spool = await openSpool(dir, {
    maxBytes: 8 * 1024,
    syncGapMs: 1,
    onProblem: (error) => problems.push(error),
  })
  const later = [1, 2, 3].map((more) => 1_000_000 + more)
  for (const value of later) spool.append([sampleOf(value)], { whenFull: 'refuse' })
  await server.drain(spool)
  spool.append([sampleOf(2_000_000)])
  await server.drain(spool)
  await spool.close()
  const counted = server.rows.filter(({ name }) => name === 'count')
  const values = counted.map(({ fields }) => Number(fields['value'])).sort((a, b) => a - b)
  const has = new Set(values)
  expect({
    ...{ steps, ofCut, problems },
    twice: values.filter((value, at) => values[at - 1] === value),
    lost: taken.filter((value) => value <= safe && !has.has(value)),
    foreign: values.filter((value) => value < 1_000_000 && !begun.includes(value)),
    last: has.has(2_000_000),
    // Of what was not safe, what is known to be lost is told.
    told: server.linesOf('dropped') <= dropped + begun.filter((value) => !has.has(value)).length,
  }).toEqual({
    ...{ steps, ofCut, problems: [] },
    ...{ twice: [], lost: [], foreign: [], last: true, told: true },
  })
}

/** Run a program of this folder while its changes of files are recorded. */
async function run(
  name: string,
  args: readonly string[],
  {
    record,
    root,
    env = {},
  }: {
    readonly record: string
    readonly root: string
    readonly env?: Readonly<Record<string, string>>
  },
): Promise<void> {
  const recorder = join(import.meta.dirname, '../../../support/power/record-steps.ts')
  const program = join(import.meta.dirname, 'process', name)
  const child = spawn(process.execPath, ['--import', recorder, program, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env, POWER_LOG: record, POWER_ROOT: root },
  })
  expect(await once(child, 'exit')).toEqual([0, null])
}
