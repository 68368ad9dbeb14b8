import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, existsSync, rmSync } from 'node:fs'
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { SampleRecord } from '@community-lab/contract'
import { afterEach, expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import type { Sample } from '../../../../agent/src/measurement/sample.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { eventually } from '../../../support/eventually.ts'
import { catcherPid, createFolder, fill, readSynced } from './world.ts'

const sliver = '1@1'
const path = process.env['PATH'] ?? ''
afterEach(() => {
  process.env['PATH'] = path
})

/** Put a perl first in the path that kills a program right before its Nth step, N being in a file. Returns that file. */
async function aDeadlyPerl(dir: string): Promise<string> {
  const file = join(dir, 'steps')
  await aPerlWith(dir, `-MKillAtStep=${file}`)
  return file
}

/** Put a perl first in the path that loads a module of `support/kill`. */
async function aPerlWith(dir: string, module: string): Promise<void> {
  const bin = join(dir, 'bin')
  const perl = execFileSync('sh', ['-c', 'command -v perl'], { encoding: 'utf8' }).trim()
  await mkdir(bin)
  const modules = join(import.meta.dirname, '../../../support/kill')
  await writeFile(join(bin, 'perl'), `#!/bin/sh\nexec ${perl} '-I${modules}' '${module}' "$@"\n`)
  await chmod(join(bin, 'perl'), 0o755)
  process.env['PATH'] = `${bin}:${path}`
}

const fast = { perSecond: 1e9, burst: 1e9 }
const cases = [
  { what: 'moves all that is written', told: [], byteRate: fast },
  {
    what: 'refuses what comes too fast',
    told: ['rejected'],
    byteRate: { perSecond: 1, burst: 150 },
  },
  { what: 'drops what has no room', told: ['dropped'], byteRate: fast, maxBytesPerSliver: 20 },
]

it.each(cases)(
  'counts each line once when the catcher is killed before any one of its steps while it $what',
  async ({ what: _, told, ...bounds }) => {
    await using folder = await createFolder()
    const steps = await aDeadlyPerl(folder.path)
    const spool = await openSpool(join(folder.path, 'spool'))
    const dir = join(folder.path, 'catchers')
    const measure = join(folder.path, 'measure')
    const streams = createSliverStreams({ spool, dir, ...bounds })
    const ensure = () => streams.ensure(sliver, measure)
    let seq = 0
    let step = 0
    do {
      await writeFile(steps, `${++step}\n`)
      await ensure()
      const written: number[] = []
      const fifo = await open(join(measure, 'measure'), constants.O_RDWR)
      for (let line = 0; line < 12; line++) {
        written.push(step * 100 + line)
        await fifo.write(`count value=${step * 100 + line}\n`)
        if (line % 4 === 3) await ensure()
      }
      await streams.remove(sliver)
      await fifo.close()
      const records = await readSynced(spool)
      expect([step, ...countsOf(records.slice(seq))]).toEqual([step, 12, []])
      seq = records.length
    } while (!existsSync(steps))
    const names = new Set((await readSynced(spool)).map(({ name }) => name))
    expect([...names].sort()).toEqual(['count', ...told].sort())
    expect(step).toBeGreaterThan(30)
    expect(catcherPid(dir)).toBeNull()
    await streams.stop()
    await spool.close()
  },
)

it.runIf(process.getuid?.() === 0)(
  'counts each line once when the catcher is killed before any one of its steps while its disk is full in the middle of a line, and has room again',
  async () => {
    await using folder = await createFolder()
    const steps = await aDeadlyPerl(folder.path)
    const dir = join(folder.path, 'catchers')
    await mkdir(dir)
    await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=512k', 'catcher-test', dir])
    const spool = await openSpool(join(folder.path, 'spool'))
    const measure = join(folder.path, 'measure')
    const streams = createSliverStreams({ spool, dir })
    const ensure = () => streams.ensure(sliver, measure)
    const end: Sample = { time_us: 1, source: sliver, name: 'end', fields: { lines: 0 } }
    const caught = () => streams.appendAfter(end, {})
    const padding = 'x'.repeat(1_500)
    try {
      let seq = 0
      // A catcher takes so many steps until it is ready. The tests above kill it before each of them.
      let step = 29
      do {
        await writeFile(steps, `${++step}\n`)
        await ensure()
        const fifo = await open(join(measure, 'measure'), constants.O_RDWR)
        for (let line = 0; line < 12; line++) {
          await fifo.write(`count value=${step * 100 + line} padding="${padding}"\n`)
          if (line % 4 !== 3) continue
          await caught()
          if (line === 3) fill(join(dir, 'filler'))
          if (line === 7) rmSync(join(dir, 'filler'))
        }
        await streams.remove(sliver)
        await fifo.close()
        const records = await readSynced(spool)
        const found = records.slice(seq)
        const names = new Set(found.map(({ name }) => name))
        expect([step, ...countsOf(found), [...names].sort()]).toEqual([
          step,
          12,
          [],
          ['count', 'dropped', 'end'],
        ])
        seq = records.length
      } while (!existsSync(steps))
      expect(step).toBeGreaterThan(60)
    } finally {
      await streams.stop()
      await runCommand(['umount', '-l', dir])
      await spool.close()
    }
  },
)

it('begins also while the process that syncs for a killed one has not let go of its lock', async () => {
  await using folder = await createFolder()
  const dir = join(folder.path, 'catchers')
  await mkdir(dir)
  const gone = spawn('true')
  await once(gone, 'exit')
  await writeFile(join(dir, 'lock'), `${gone.pid}\n`)
  const holder = spawn('flock', [join(dir, 'lock'), 'sh', '-c', 'echo held; sleep 0.3'])
  await once(holder.stdout, 'data')
  const spool = await openSpool(join(folder.path, 'spool'))
  const streams = createSliverStreams({ spool, dir })
  await streams.ensure(sliver, join(folder.path, 'measure'))
  expect(catcherPid(dir)).not.toBeNull()
  await streams.remove(sliver)
  await streams.stop()
  await spool.close()
})

it('puts what it has moved on the disk, so that a power cut takes no more than the last lines', async () => {
  await using folder = await createFolder()
  const told = join(folder.path, 'synced')
  await aPerlWith(folder.path, `-MRecordSyncs=${told}`)
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'catchers')
  const streams = createSliverStreams({ spool, dir })
  await streams.ensure(sliver, join(folder.path, 'measure'))
  const fifo = await open(join(folder.path, 'measure', 'measure'), constants.O_RDWR)
  const own = join(dir, encodeURIComponent(sliver))
  for (let line = 1; line <= 2; line++) {
    await fifo.write('count value=1\n')
    // Each sync tells the file, and how many bytes it has then.
    const expected = [
      `${own}/${'0'.repeat(16)}.data ${14 * line}`,
      `${own}/${'0'.repeat(16)}.index ${34 * line}`,
    ]
    await eventually(async () => {
      const lines = (await readFile(told, 'utf8')).split('\n')
      expect(lines).toEqual(expect.arrayContaining(expected))
    })
  }
  await fifo.close()
  await streams.remove(sliver)
  await streams.stop()
  await spool.close()
})

/** How many lines records tell of, and the values that are there twice. */
function countsOf(records: readonly SampleRecord[]): [number, unknown[]] {
  const values: unknown[] = []
  let lines = 0
  for (const { name, fields } of records)
    if (name === 'count') values.push(fields['value'])
    else lines += Number(fields['lines'])
  return [values.length + lines, values.filter((value, at) => values.indexOf(value) !== at)]
}
