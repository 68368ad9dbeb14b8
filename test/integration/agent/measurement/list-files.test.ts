import { link, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

it('a list that is written leaves the one before whole, for a kill may come at any moment', async () => {
  await using folder = await createFolder()
  const path = join(folder.path, 'wanted')
  writeList(path, listOf(1, 3))
  const before = join(folder.path, 'before')
  await link(path, before)
  writeList(path, listOf(2, 1))
  expect(readList(before)).toMatchObject(listOf(1, 3))
  expect(readList(path)).toMatchObject(listOf(2, 1))
  expect((await readdir(folder.path)).sort()).toEqual(['before', 'wanted'])
})

it.runIf(isRoot)('on a full disk a list is overwritten, and is never cut', async () => {
  await using folder = await createFolder()
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'list-test', folder.path])
  try {
    const path = join(folder.path, 'wanted')
    writeList(path, listOf(1, 3))
    await expect(writeFile(join(folder.path, 'filler'), Buffer.alloc(128 * 1024))).rejects.toThrow(
      'ENOSPC',
    )
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
    expect((await readdir(folder.path)).sort()).toEqual(['filler', 'wanted'])
  } finally {
    await runCommand(['umount', folder.path])
  }
})
