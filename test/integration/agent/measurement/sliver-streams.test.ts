import { appendFile, chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import {
  catcherPid,
  catchingPid,
  createFolder,
  killHard,
  processesOf,
  readAll,
  runWriter,
  startProgram,
  valuesOf,
  waitForRecords,
} from './world.ts'

const sliver = 'slice@n1'

it('makes a FIFO that anyone in the sliver may write and nobody may read', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const fifo = await stat(join(folder.path, 'measure/measure'))
  expect([fifo.isFIFO(), fifo.mode & 0o777]).toEqual([true, 0o622])
  await catchers.remove(sliver)
  await spool.close()
})

it('turns lines into samples at the time they came, and keeps what it cannot read with the reason', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const beforeUs = Date.now() * 1000
  await writeFile(join(folder.path, 'measure/measure'), 'rtt rtt_s=0.012 peer="n3"\n')
  await appendFile(
    join(folder.path, 'measure/measure'),
    `\nNot a sample\nlong text="${'x'.repeat(5000)}"\n`,
  )
  const records = await waitForRecords(spool, 3)
  const afterUs = Date.now() * 1000
  expect(records.map(({ source, name }) => [source, name])).toEqual([
    [sliver, 'rtt'],
    [sliver, 'rejected'],
    [sliver, 'rejected'],
  ])
  expect(records[0]?.fields).toEqual({ rtt_s: 0.012, peer: 'n3' })
  expect(records[1]?.fields).toMatchObject({ line: 'Not a sample' })
  expect(records[2]?.fields['reason']).toMatch(/longer than 4096 bytes/u)
  for (const record of records) {
    expect(record.time_us).toBeGreaterThanOrEqual(beforeUs)
    expect(record.time_us).toBeLessThanOrEqual(afterUs + 1000)
  }
  await catchers.remove(sliver)
  await spool.close()
})

it('reads all to its end when a sliver is removed, and leaves no process and no file', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const pid = catcherPid(join(folder.path, 'catchers'))
  const lines = Array.from({ length: 500 }, (_, at) => `count value=${String(at)}\n`).join('')
  await writeFile(join(folder.path, 'measure/measure'), lines)
  await catchers.remove(sliver)
  expect(readAll(spool)).toHaveLength(500)
  await untilGone(pid ?? 0)
  const left = await readdir(join(folder.path, 'catchers'), { withFileTypes: true })
  expect(left.filter((entry) => entry.isDirectory())).toEqual([])
  expect(await readdir(join(folder.path, 'measure'))).toEqual([])
  await catchers.remove(sliver)
  await spool.close()
})

it('finds the catcher that an agent before has started, with what it has caught meanwhile', async () => {
  await using folder = await createFolder()
  const first = await openSpool(join(folder.path, 'spool'))
  const before = createSliverStreams({ spool: first, dir: join(folder.path, 'catchers') })
  await before.ensure(sliver, join(folder.path, 'measure'))
  const pid = catcherPid(join(folder.path, 'catchers'))
  await before.stop()
  await first.close()
  const writtenUs = Date.now() * 1000
  await writeFile(join(folder.path, 'measure/measure'), 'count value=1\n')
  await expect.poll(() => readCaught(join(folder.path, 'catchers'))).toContain('count value=1')
  const restartedUs = Date.now() * 1000
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  expect(catcherPid(join(folder.path, 'catchers'))).toBe(pid)
  const [record] = await waitForRecords(spool, 1)
  expect(record?.time_us).toBeGreaterThanOrEqual(writtenUs)
  expect(record?.time_us).toBeLessThanOrEqual(restartedUs)
  await catchers.remove(sliver)
  await spool.close()
})

it('drops new lines beyond its bound, never blocks their writers, and tells exactly how many', async () => {
  await using folder = await createFolder()
  // A spool that is full refuses what was caught, so the catcher's files fill.
  const spool = await openSpool(join(folder.path, 'spool'), { maxBytes: 4096 })
  while (
    spool.append([{ time_us: 1, source: 'node', name: 'filler', fields: { value: 1 } }], {
      whenFull: 'refuse',
    })
  );
  const filler = spool.lastSeq
  const dir = join(folder.path, 'catchers')
  const catchers = createSliverStreams({ spool, dir, maxBytesPerSliver: 20_000 })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const results = await Promise.all(
    [1, 2, 3].map((writer) => runWriter(join(folder.path, 'measure/measure'), writer, 1000)),
  )
  expect(results.map(({ ended }) => ended)).toEqual([0, 0, 0])
  await catchers.stop()
  await spool.close()
  const larger = await openSpool(join(folder.path, 'spool'))
  const again = createSliverStreams({ spool: larger, dir, maxBytesPerSliver: 20_000 })
  await again.ensure(sliver, join(folder.path, 'measure'))
  await again.remove(sliver)
  const records = readAll(larger).slice(filler)
  const dropped = records
    .filter(({ name }) => name === 'dropped')
    .reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
  const kept = records.filter(({ name }) => name === 'count').length
  expect(dropped).toBeGreaterThan(1000)
  expect(kept).toBeGreaterThan(100)
  expect([kept + dropped, records.filter(({ name }) => name === 'rejected')]).toEqual([3000, []])
  await larger.close()
})

it.for([
  ['as soon as', 1, 0],
  ['a moment after', 1, 10],
  ['while it waits to be started again after', 2, 50],
] as const)(
  'leaves no catcher, and loses no line, of a sliver that is removed %s its catcher was killed',
  async ([, kills, afterMs]) => {
    await using folder = await createFolder()
    const spool = await openSpool(join(folder.path, 'spool'))
    const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
    await catchers.ensure(sliver, join(folder.path, 'measure'))
    const catcherFolder = join(folder.path, 'catchers')
    await killCatchers(catcherFolder, kills)
    // Nobody takes it out of the FIFO until another catcher runs.
    await writeFile(join(folder.path, 'measure/measure'), 'count value=1\n')
    await delay(afterMs)
    await catchers.remove(sliver)
    expect(readAll(spool).map(({ fields }) => fields['value'])).toEqual([1])
    await catchers.stop()
    // As long as a catcher that was not waited for could take to start.
    await delay(500)
    expect(processesOf(catcherFolder)).toEqual([])
    await spool.close()
  },
)

it('starts no catcher after it was stopped', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.ensure(sliver, join(folder.path, 'measure'))
  const catcherFolder = join(folder.path, 'catchers')
  await killCatchers(catcherFolder, 2)
  // Into the wait before the next one is started.
  await delay(50)
  await catchers.stop()
  await delay(500)
  expect(processesOf(catcherFolder)).toEqual([])
  await spool.close()
})

it('tells what is missing when a catcher cannot be started', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await writeFile(join(folder.path, 'file'), '')
  await chmod(join(folder.path, 'file'), 0o600)
  await expect(catchers.ensure(sliver, join(folder.path, 'file'))).rejects.toMatchObject({
    code: 'LAB_AGENT_CATCHER_FAILED',
    details: { sliver },
  })
  await spool.close()
})

it('loses and doubles no line of many writers while agent and catcher are killed again and again', async () => {
  await using folder = await createFolder()
  const [writers, lines] = [6, 6000]
  const measure = join(folder.path, 'measure/measure')
  const catcherFolder = join(folder.path, 'catchers')
  let agent = await startProgram('tailing-agent.ts', folder.path)
  let agentKills = 0
  let catcherKills = 0
  // Where starting an agent takes long, further writers begin, so that each kill is in the middle of their lines.
  const ended: unknown[] = []
  const writeOn = async (): Promise<void> => {
    const first = ended.length
    const round = Array.from({ length: writers }, (_, at) => runWriter(measure, first + at, lines))
    ended.push(...(await Promise.all(round)).map((result) => result.ended))
    if (agentKills < 3 || catcherKills < 2) await writeOn()
  }
  const writing = { isOver: false }
  const written = writeOn().finally(() => (writing.isOver = true))
  while (!writing.isOver) {
    await delay(60)
    const pid = catcherPid(catcherFolder)
    if (agentKills % 2 === 0 && pid !== null) {
      process.kill(pid, 'SIGKILL')
      catcherKills++
      // The agent must live until it has started another one: somebody has to hold the FIFO.
      while ([pid, null].includes(catchingPid(catcherFolder))) await delay(10)
    }
    await killHard(agent)
    agentKills++
    agent = await startProgram('tailing-agent.ts', folder.path)
  }
  await written
  await killHard(agent)
  expect(ended.filter((how) => how !== 0)).toEqual([])

  const spool = await openSpool(join(folder.path, 'spool'))
  const catchers = createSliverStreams({ spool, dir: join(folder.path, 'catchers') })
  await catchers.remove(sliver)
  const records = readAll(spool)
  expect(records.filter(({ name }) => name !== 'count')).toEqual([])
  for (const writer of ended.keys())
    expect(valuesOf(records, writer)).toEqual(Array.from({ length: lines }, (_, at) => at + 1))
  await spool.close()
})

/** Everything that catchers hold, as one text. */
async function readCaught(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1'))
  return (await Promise.all(texts)).join('')
}

/** Wait until a process has ended. */
async function untilGone(pid: number): Promise<void> {
  while (isThere(pid)) await delay(5)
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // It has ended.
    return false
  }
}

/** Kill a folder's catcher, and each one that is started in its place, so many times. */
async function killCatchers(folder: string, times: number): Promise<void> {
  for (let kill = 0; kill < times; kill++) {
    let pid = catcherPid(folder)
    for (; pid === null; pid = catcherPid(folder)) await delay(5)
    process.kill(pid, 'SIGKILL')
    while (catcherPid(folder) === pid) await delay(1)
  }
}
