import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeHalfWritten, writeWhole } from '@community-lab/contract/host'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whole-file-'))
})
afterEach(() => rm(dir, { recursive: true }))

it('files of one folder that are written at once are each whole', async () => {
  const names = Array.from({ length: 20 }, (_, at) => `${at}.pem`)
  await Promise.all(names.map((name) => writeWhole(join(dir, name), name.repeat(1000))))
  expect((await readdir(dir)).sort()).toEqual(names.toSorted())
  for (const name of names) {
    expect(await readFile(join(dir, name), 'utf8')).toBe(name.repeat(1000))
    expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
  }
})

it('a write that fails leaves nothing behind', async () => {
  await mkdir(join(dir, 'key.pem'))
  await expect(writeWhole(join(dir, 'key.pem'), 'secret')).rejects.toThrow()
  expect(await readdir(dir)).toEqual(['key.pem'])
})

it('what was half written is removed; a folder of such a name is left alone', async () => {
  await mkdir(join(dir, '.mine.tmp'))
  await writeFile(join(dir, '.key.pem.1-a.tmp'), 'sec')
  await removeHalfWritten(dir)
  expect(await readdir(dir)).toEqual(['.mine.tmp'])
})
