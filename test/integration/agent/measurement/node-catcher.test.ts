import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { writeSteadyFile } from '../../../../agent/src/clock/steady-file.ts'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { createFolder, processesOf, readAll, runWriter, valuesOf, waitForRecords } from './world.ts'

const sliver = 'slice@n1'
const bootPath = '/proc/sys/kernel/random/boot_id'

it('catches the lines of all slivers by one process, and each in its own folder', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  const slivers = Array.from({ length: 20 }, (_, at) => `${at + 1}@1`)
  await Promise.all(slivers.map((id) => catchers.ensure(id, join(folder.path, 'measure', id))))
  expect(processesOf(join(folder.path, 'catchers'))).toHaveLength(1)
  for (const id of slivers)
    await writeFile(join(folder.path, 'measure', id, 'measure'), `count of="${id}"\n`)
  const records = await waitForRecords(spool, slivers.length)
  for (const { source, fields } of records) expect(fields['of']).toBe(source)
  await Promise.all(slivers.slice(1).map((id) => catchers.remove(id)))
  expect(processesOf(join(folder.path, 'catchers'))).toHaveLength(1)
  await catchers.remove('1@1')
  await catchers.stop()
  await spool.close()
})

it('gives lines the time of the steady clock, whatever the wall clock says, and follows it when the agent moves it', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'catchers')
  const boot = readFileSync(bootPath, 'utf8').trim()
  const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n)
  const steady = (baseUs: number): boolean => writeSteadyFile(dir, { boot, baseUs, rate: 1.001 })
  expect(steady(1e15)).toBe(true)
  const catchers = createSliverStreams({ spool, dir })
  const write = (line: string) => writeFile(join(folder.path, 'measure/measure'), line)
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const before = monotonicUs()
  await write('count value=1\n')
  const [first] = await waitForRecords(spool, 1)
  expect(first?.time_us).toBeGreaterThanOrEqual(1e15 + Math.floor(before * 1.001))
  expect(first?.time_us).toBeLessThanOrEqual(1e15 + Math.ceil(monotonicUs() * 1.001))
  expect(steady(2e15)).toBe(true)
  // The catcher has read the new base when it answers a later request.
  await catchers.ensure('other', join(folder.path, 'other'))
  await write('count value=2\n')
  const [, second] = await waitForRecords(spool, 2)
  expect(second?.time_us).toBeGreaterThan(2e15)
  await catchers.stop()
  await spool.close()
})

it('goes on catching the others when the folder of one is gone', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const problems: unknown[] = []
  const dir = join(folder.path, 'catchers')
  const catchers = createSliverStreams({ spool, dir, onProblem: (error) => problems.push(error) })
  const measure = (id: string): string => join(folder.path, 'measure', id)
  await catchers.ensure('1@1', measure('1@1'))
  await catchers.ensure('2@1', measure('2@1'))
  await rm(join(dir, encodeURIComponent('1@1')), { recursive: true })
  for (let line = 0; line < 3; line++) {
    await writeFile(join(measure('1@1'), 'measure'), 'count value=1\n')
    await writeFile(join(measure('2@1'), 'measure'), `count value=${line}\n`)
    await waitForRecords(spool, line + 1)
  }
  expect(readAll(spool).map(({ source }) => source)).toEqual(['2@1', '2@1', '2@1'])
  await catchers.stop()
  await spool.close()
})

it('keeps a line without an end within its bound while no agent reads', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'catchers')
  const maxBytesPerSliver = 256 * 1024
  const byteRate = { perSecond: 1e9, burst: 1e9 }
  const agent = createSliverStreams({ spool, dir, maxBytesPerSliver, byteRate })
  await agent.ensure(sliver, join(folder.path, 'measure'))
  await agent.stop()
  const fifo = join(folder.path, 'measure/measure')
  await promisify(execFile)('dd', ['if=/dev/zero', `of=${fifo}`, 'bs=64k', 'count=200'])
  await appendFile(fifo, '\ncount value=1\n')
  const names = await readdir(join(dir, encodeURIComponent(sliver)))
  const kept = names.filter((name) => /data|index/u.test(name))
  const sizes = kept.map((name) => statSync(join(dir, encodeURIComponent(sliver), name)).size)
  const whole = sizes.reduce((sum, size) => sum + size, 0)
  expect(whole).toBeLessThanOrEqual(maxBytesPerSliver + 64 * 1024 + 4096 + 100)
  const next = createSliverStreams({ spool, dir, maxBytesPerSliver, byteRate })
  await next.remove(sliver)
  const records = readAll(spool)
  expect(records.filter(({ name }) => name === 'rejected')).toMatchObject([
    { fields: { lines: 1 } },
  ])
  const last = records.filter(({ name }) => ['count', 'dropped'].includes(name))
  expect(last).toHaveLength(1)
  await next.stop()
  await spool.close()
})

it('refuses what comes faster than a sliver may write, and tells how many lines and one of them', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'catchers')
  const byteRate = { perSecond: 1, burst: 20_000 }
  const catchers = createSliverStreams({ spool, dir, byteRate })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const [{ ended }] = await Promise.all([
    runWriter(join(folder.path, 'measure/measure'), 1, 3000),
    catchers.ensure('2@1', join(folder.path, 'other')),
  ])
  expect(ended).toBe(0)
  const end = { time_us: 1, source: sliver, name: 'run_end', fields: { run: 'r' } }
  expect(await catchers.appendAfter(end, {})).toBe(true)
  await writeFile(join(folder.path, 'other/measure'), 'count writer=2\n')
  await catchers.remove(sliver)
  await catchers.remove('2@1')
  const records = readAll(spool)
  const rejected = records.filter(({ name }) => name === 'rejected')
  const refused = rejected.reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
  expect(refused + valuesOf(records, 1).length).toBe(3000)
  expect(refused).toBeGreaterThan(1000)
  expect(records.findIndex(({ name }) => name === 'run_end')).toBe(
    records.findLastIndex(({ source }) => source === sliver),
  )
  expect(rejected[0]?.fields['line']).toMatch(/^count writer=1 value=\d+$/u)
  expect(records.filter(({ source }) => source === '2@1')).toHaveLength(1)
  expect(records.filter(({ name }) => name === 'dropped')).toEqual([])
  await catchers.stop()
  await spool.close()
})

it('ends the catcher that an agent of version 0.1 ran for a sliver, and reads what that had caught', async () => {
  await using folder = await createFolder()
  const own = join(folder.path, 'catchers', encodeURIComponent(sliver))
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'stream'), `d1d1 ${readFileSync(bootPath, 'utf8')}`)
  await writeFile(join(own, '0000000000000000.data'), 'count value=1\n')
  await writeFile(
    join(own, '0000000000000000.index'),
    `${'14'.padStart(16, '0')} ${'5'.padStart(16, '0')}\n`,
  )
  await writeFile(join(own, 'dropped'), `${'3'.padStart(20, '0')}\n`)
  const old = spawn('perl', ['-e', 'sleep 60', own])
  const ended = once(old, 'exit')
  await writeFile(join(own, 'lock'), `${old.pid ?? 0}\n`)
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  expect((await ended)[1]).toBe('SIGTERM')
  await writeFile(join(folder.path, 'measure/measure'), 'count value=2\n')
  await catchers.remove(sliver)
  const records = readAll(spool)
  expect(records.map(({ name, fields }) => [name, fields])).toEqual(
    expect.arrayContaining([
      ['count', { value: 1 }],
      ['count', { value: 2 }],
      ['dropped', { lines: 3 }],
    ]),
  )
  expect(records).toHaveLength(3)
  await catchers.stop()
  await spool.close()
})

it('leaves alone what a newer agent has kept, and catches on', async () => {
  await using folder = await createFolder()
  const dir = join(folder.path, 'catchers')
  const own = join(dir, encodeURIComponent(sliver))
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'stream'), `d1d1 ${readFileSync(bootPath, 'utf8').trim()} 99\n`)
  const spool = await openSpool(join(folder.path, 'spool'))
  const problems: unknown[] = []
  const catchers = createSliverStreams({ spool, dir, onProblem: (error) => problems.push(error) })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  await writeFile(join(folder.path, 'measure/measure'), 'count value=1\n')
  await waitForRecords(spool, 1)
  expect(problems).toMatchObject([{ code: 'LAB_AGENT_CATCHER_FAILED' }])
  const names = await readdir(dir)
  expect(names.filter((name) => name.includes('.unreadable-'))).toHaveLength(1)
  await catchers.remove(sliver)
  await catchers.stop()
  await spool.close()
})

it('is started again after a start that failed', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const problem = Promise.withResolvers<undefined>()
  const dir = join(folder.path, 'catchers')
  const onProblem = (): void => problem.resolve(undefined)
  const catchers = createSliverStreams({ spool, dir, onProblem })
  await catchers.ensure('1@1', join(folder.path, 'measure'))
  const [first = 0] = processesOf(dir)
  const path = process.env['PATH']
  try {
    process.env['PATH'] = '/nonexistent'
    process.kill(Number(first), 'SIGKILL')
    await problem.promise
  } finally {
    process.env['PATH'] = path
  }
  await expect.poll(() => processesOf(dir).length).toBe(1)
  await writeFile(join(folder.path, 'measure', 'measure'), 'count value=1\n')
  expect(await waitForRecords(spool, 1)).toHaveLength(1)
  await catchers.stop()
  await spool.close()
})
