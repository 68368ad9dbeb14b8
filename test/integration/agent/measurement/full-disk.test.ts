import { rmSync, statSync } from 'node:fs'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { indexEntryBytes } from '../../../../agent/src/measurement/domain/catcher-index.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { catcherPid, createFolder, fill, readAll } from './world.ts'

const sliver = 'slice@n1'
/** What is cut by the end of the last page of the disk: the 121st entry of the index, or a line. */
const cases = [
  { cut: 'an entry', padding: '', entriesBefore: 120, disk: 'has room again' },
  { cut: 'an entry', padding: '', entriesBefore: 120, disk: 'is still full' },
  {
    cut: 'a line',
    padding: ' padding="longer than an entry"',
    entriesBefore: 10,
    disk: 'has room again',
  },
  {
    cut: 'a line',
    padding: ' padding="longer than an entry"',
    entriesBefore: 10,
    disk: 'is still full',
  },
] as const

const killed = cases.flatMap((one) => [
  { ...one, catcher: 'lives' as const },
  { ...one, catcher: 'is killed again and again' as const },
])

it.runIf(process.getuid?.() === 0).for(killed)(
  'loses no line uncounted when its disk is full in the middle of $cut and $disk when the sliver is removed, and the catcher $catcher',
  async ({ padding, entriesBefore, disk, catcher }) => {
    await using folder = await createFolder()
    const dir = join(folder.path, 'catchers')
    await mkdir(dir)
    await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'catcher-test', dir])
    const spool = await openSpool(join(folder.path, 'spool'))
    try {
      const catchers = createSliverStreams({ spool, dir })
      await catchers.ensure(sliver, join(folder.path, 'measure'))
      let emitted = 0
      const emit = async (): Promise<void> => {
        const line = `count value=${String(++emitted)}${padding}\n`
        await appendFile(join(folder.path, 'measure/measure'), line)
        await delay(3)
        if (catcher === 'lives' || emitted % 20 !== 0) return
        const pid = catcherPid(dir)
        if (pid !== null) process.kill(pid, 'SIGKILL')
        await catchers.ensure(sliver, join(folder.path, 'measure'))
      }
      const index = join(dir, encodeURIComponent(sliver), '0000000000000000.index')
      while (statSync(index).size < entriesBefore * indexEntryBytes) await emit()
      fill(join(dir, 'filler'))
      for (let line = 0; line < 200; line++) await emit()
      if (disk === 'has room again') {
        rmSync(join(dir, 'filler'))
        for (let line = 0; line < 200; line++) await emit()
      }
      await catchers.remove(sliver)
      await catchers.stop()

      const records = readAll(spool)
      const values = records.filter(({ name }) => name === 'count').map((r) => r.fields['value'])
      const told = (of: string): number =>
        records
          .filter(({ name }) => name === of)
          .reduce((sum, { fields }) => sum + Number(fields['lines']), 0)
      expect(values.length + told('dropped') + told('rejected')).toBe(emitted)
      expect([new Set(values).size, told('dropped') > 0]).toEqual([values.length, true])
      if (disk === 'has room again') expect([values.at(-1), told('rejected')]).toEqual([emitted, 0])
      // The end of a line that was cut has no room, which is told as `rejected`.
      else expect(told('rejected')).toBeLessThanOrEqual(1)
    } finally {
      await runCommand(['umount', '-l', dir])
      await spool.close()
    }
  },
)
