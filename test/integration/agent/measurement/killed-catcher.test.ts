import { execFileSync } from 'node:child_process'
import { constants, existsSync } from 'node:fs'
import { chmod, mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { SampleRecord } from '@community-lab/contract'
import { afterEach, expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { catcherPid, createFolder, readSynced } from './world.ts'

const sliver = '1@1'
const path = process.env['PATH'] ?? ''
afterEach(() => {
  process.env['PATH'] = path
})

/** Put a perl first in the path that kills a program right before its Nth step, N being in a file. Returns that file. */
async function aDeadlyPerl(dir: string): Promise<string> {
  const bin = join(dir, 'bin')
  const file = join(dir, 'steps')
  const perl = execFileSync('sh', ['-c', 'command -v perl'], { encoding: 'utf8' }).trim()
  await mkdir(bin)
  const modules = join(import.meta.dirname, '../../../support/kill')
  await writeFile(
    join(bin, 'perl'),
    `#!/bin/sh\nexec ${perl} '-I${modules}' '-MKillAtStep=${file}' "$@"\n`,
  )
  await chmod(join(bin, 'perl'), 0o755)
  process.env['PATH'] = `${bin}:${path}`
  return file
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

/** How many lines records tell of, and the values that are there twice. */
function countsOf(records: readonly SampleRecord[]): [number, unknown[]] {
  const values: unknown[] = []
  let lines = 0
  for (const { name, fields } of records)
    if (name === 'count') values.push(fields['value'])
    else lines += Number(fields['lines'])
  return [values.length + lines, values.filter((value, at) => values.indexOf(value) !== at)]
}
