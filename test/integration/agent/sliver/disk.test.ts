import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { makeDisk } from '../../../../agent/src/sliver/host/disk.ts'
import { makeRoot } from '../../../../agent/src/sliver/store/root.ts'

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

it.runIf(process.getuid?.() === 0)(
  'says that the data of a sliver does not fit, and keeps nothing of it, because the sliver has its space only promised',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'disk-'))
    try {
      const disk = { sliver: '1@1', sizeMiB: 8 }
      const ids = [{ inside: 0, outside: 200_000, count: 1000 }]
      // It is less than the disk, but the file system needs some of that for itself.
      const data = Buffer.alloc(7.8 * 2 ** 20, 'x')
      const fill = (upper: string): Promise<void> => writeFile(join(upper, 'data'), data)
      const making = makeRoot(folder, folder, { ids, from: 'share', disk, fill, signal })
      await expect(making).rejects.toMatchObject({ code: 'LAB_DATA_TOO_LARGE' })
      expect(await readdir(folder)).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
