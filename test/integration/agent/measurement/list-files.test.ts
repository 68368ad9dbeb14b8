import { spawnSync } from 'node:child_process'
import { link, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, it } from 'vitest'
import { readList, writeList } from '../../../../agent/src/measurement/catcher/list-files.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { createFolder } from './world.ts'

const isRoot = process.getuid?.() === 0

function listOf(serial: number, slivers: number) {
  const folders = Array.from({ length: slivers }, (_, at) => `${at + 1}%401`)
  const entries = new Map(folders.map((name) => [name, `catch\t/measure/${name}/measure`]))
  return { serial, writer: 'boot', entries }
}

/** Mount a file system of 64 KiB, which `fill` makes full. Needs root. */
async function mountSmallDisk(path: string): Promise<AsyncDisposable & { fill(): Promise<void> }> {
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'list-test', path])
  return {
    async fill() {
      const filler = writeFile(join(path, 'filler'), Buffer.alloc(128 * 1024))
      await expect(filler).rejects.toThrow('ENOSPC')
    },
    async [Symbol.asyncDispose]() {
      await runCommand(['umount', path])
    },
  }
}

it('a list that is written leaves the one before whole, for a kill may come at any moment', async () => {
  await using folder = await createFolder()
  const path = join(folder.path, 'wanted')
  writeList(path, listOf(1, 3))
  const before = join(folder.path, 'before')
  await link(path, before)
  writeList(path, listOf(2, 1))
  expect(readList(before)).toMatchObject(listOf(1, 3))
  expect(readList(path)).toMatchObject(listOf(2, 1))
  expect((await readdir(folder.path)).sort()).toEqual(['.wanted.tmp', 'before', 'wanted'])
})

it.runIf(isRoot)(
  'on a full disk a list is written where the one before last was, and none is cut',
  async () => {
    await using folder = await createFolder()
    await using disk = await mountSmallDisk(folder.path)
    const path = join(folder.path, 'wanted')
    writeList(path, listOf(1, 3))
    await disk.fill()
    for (const [serial, slivers] of [
      [2, 20],
      [3, 2],
      [4, 30],
    ] as const) {
      writeList(path, listOf(serial, slivers))
      expect(readList(path)).toMatchObject(listOf(serial, slivers))
    }
    const text = await readFile(path, 'utf8')
    expect(() => {
      writeList(path, listOf(5, 1000))
    }).toThrow('ENOSPC')
    expect(await readFile(path, 'utf8')).toBe(text)
    expect((await readdir(folder.path)).sort()).toEqual(['.wanted.tmp', 'filler', 'wanted'])
  },
)

it.runIf(isRoot)(
  'a list is whole on a full disk when its writer is killed before any one of its steps',
  async () => {
    await using folder = await createFolder()
    await using disk = await mountSmallDisk(folder.path)
    const path = join(folder.path, 'wanted')
    writeList(path, listOf(0, 50))
    await disk.fill()
    let killedBefore = 0
    for (let end = 'SIGKILL'; end === 'SIGKILL';) {
      const serial = ++killedBefore
      const before = readList(path)
      end = endOfWriter(
        killedBefore,
        path,
        JSON.stringify([...listOf(serial, 20 + serial).entries]),
      )
      const now = readList(path)
      const whole = [before, { version: 3, ...listOf(serial, 20 + serial) }]
      expect(whole.filter((one) => isDeepStrictEqual(one, now))).toHaveLength(1)
      if (end !== 'SIGKILL') expect(now?.serial).toBe(serial)
    }
    expect(killedBefore).toBeGreaterThan(5)
  },
)

/** Write a list in a process that is killed before its Nth step; returns how that ended. */
function endOfWriter(killedBefore: number, path: string, entries: string): string {
  const killer = join(import.meta.dirname, '../../../support/kill/kill-at-step.ts')
  const program = join(import.meta.dirname, 'process/list-writer.ts')
  const argv = ['--import', killer, program, path, String(killedBefore), entries]
  const env = { ...process.env, KILL_AT: String(killedBefore) }
  const { status, signal } = spawnSync(process.execPath, argv, { env, stdio: 'inherit' })
  return signal ?? `exit code ${status ?? -1}`
}
