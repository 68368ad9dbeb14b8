import { appendFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { holdFolder } from '../../../agent/src/lock.ts'
import { runCommand } from '../../../agent/src/sliver/host/command.ts'

it.runIf(process.getuid?.() === 0)(
  'a folder on a full disk can be held, by one agent',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lock-'))
    await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'lock-test', folder])
    try {
      expect(() => {
        for (;;) appendFileSync(join(folder, 'filler'), Buffer.alloc(4096))
      }).toThrow('ENOSPC')
      const lock = await holdFolder(folder)
      await expect(holdFolder(folder)).rejects.toThrow(`process ${process.pid}`)
      await lock.release()
      await (await holdFolder(folder)).release()
      expect(await readdir(folder)).toEqual(['filler'])
    } finally {
      await runCommand(['umount', folder])
      await rm(folder, { recursive: true })
    }
  },
)
