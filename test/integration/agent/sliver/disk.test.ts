import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { makeDisk } from '../../../../agent/src/sliver/host/disk.ts'

const { signal } = new AbortController()

it.runIf(process.getuid?.() === 0)(
  'says what the node has left when its disk is too full for a sliver, and takes none of it',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'disk-'))
    await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'disk-test', folder])
    try {
      await mkdir(join(folder, 'upper'))
      const options = { sliver: '1@1', sizeMiB: 32, signal }
      const error: unknown = await makeDisk(folder, ['upper'], options).catch(
        (thrown: unknown) => thrown,
      )
      expect(LabError.is(error, 'LAB_SLIVER_NO_ROOM')).toBe(true)
      expect(String(error)).toMatch(
        /sliver 1@1 asks for 32 MiB of disk, and this node has 1[56] left/u,
      )
      expect(await readdir(folder)).not.toContain('disk.img')
      await mkdir(join(folder, 'upper'))
      await makeDisk(folder, ['upper'], { ...options, sizeMiB: 8 })
      expect(await readdir(folder)).toEqual(['disk.img'])
    } finally {
      await runCommand(['umount', folder])
      await rm(folder, { recursive: true })
    }
  },
)
