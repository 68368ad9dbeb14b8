import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { packData } from '@community-lab/contract/files'
import { openLab } from './world/lab.ts'
import { startWorld } from './world/testbed.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cl-test-data-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function fill(name: string, names: readonly string[]): Promise<string> {
  const root = path.join(folder, name)
  await mkdir(path.join(root, 'empty'), { recursive: true })
  for (const each of names) {
    await writeFile(path.join(root, each), `content of ${each}`)
    await chmod(path.join(root, each), 0o640)
  }
  await symlink('b', path.join(root, 'link'))
  return root
}

it('packs the same content to the same bytes, whenever and in whichever order it was written', async () => {
  const one = await fill('one', ['a', 'b', 'é'])
  const other = await fill('other', ['é', 'b', 'a'])
  await utimes(path.join(other, 'a'), new Date(0), new Date(0))
  const { sha256 } = await packData(one)
  expect((await packData(other)).sha256).toBe(sha256)
  // Whoever has the umask 0002 makes files that the group may write.
  await chmod(path.join(other, 'a'), 0o660)
  await chmod(path.join(other, 'empty'), 0o775)
  expect((await packData(other)).sha256).toBe(sha256)
  const files = { 'x/b': 'two', 'x/a': Buffer.of(1) }
  const turned = { 'x/a': Buffer.of(1), 'x/b': 'two' }
  expect((await packData(files)).sha256).toBe((await packData(turned)).sha256)
  await chmod(path.join(other, 'a'), 0o750)
  expect((await packData(other)).sha256).not.toBe(sha256)
})

it('refuses a folder that changes while it is packed', async () => {
  const root = await fill('changing', ['a', 'b'])
  const many = Array.from({ length: 300 }, (_, number) => `c${number}`)
  for (const name of many) await writeFile(path.join(root, name), Buffer.alloc(20_000))
  const changes = async (change: () => Promise<void>) => {
    const state = { isPacked: false }
    const packing = packData(root).finally(() => (state.isPacked = true))
    const changing = (async () => {
      while (!state.isPacked) await change()
    })()
    await expect(packing).rejects.toMatchObject({
      code: 'LAB_ARGUMENT_INVALID',
      message: expect.stringContaining('changed while it was read') as unknown,
    })
    await changing
  }
  await changes(() => appendFile(path.join(root, 'a'), 'x'))
  let number = 0
  await changes(() => writeFile(path.join(root, `new${number++}`), ''))
  expect((await packData(root)).sha256).toHaveLength(64)
})

it('takes an archive as it is, and refuses what is none', async () => {
  const archive = gzipSync('some archive')
  const file = path.join(folder, 'data.tar.gz')
  await writeFile(file, archive)
  expect(Buffer.from((await packData(file)).bytes)).toEqual(await readFile(file))
  expect((await packData(archive)).sha256).toBe((await packData(file)).sha256)
  await writeFile(path.join(folder, 'script.sh'), 'echo')
  for (const wrong of [path.join(folder, 'script.sh'), path.join(folder, 'none'), Buffer.of(1)])
    await expect(packData(wrong)).rejects.toMatchObject({
      code: 'LAB_ARGUMENT_INVALID',
      details: { argument: 'data' },
    })
})

it('uploads the data of a slice once, when the server does not have it', async () => {
  const world = await startWorld(1)
  const lab = openLab(world)
  try {
    const options = { template: 'tiny', nodes: ['n1'] }
    const ensure = (data: Readonly<Record<string, string>> | null) =>
      lab.slices.ensure('first', { ...options, data })
    await ensure({ 'srv/a': 'one' })
    await ensure({ 'srv/a': 'one' })
    await ensure({ 'srv/a': 'two' })
    await ensure(null)
    const packed = await Promise.all(
      ['one', 'two'].map((content) => packData({ 'srv/a': content })),
    )
    expect(world.uploads).toEqual(packed.map(({ sha256 }) => sha256))
    await expect(
      lab.slices.ensure('first', { ...options, data: 1 as unknown as string }),
    ).rejects.toMatchObject({ code: 'LAB_ARGUMENT_INVALID' })
  } finally {
    await lab.close()
    await world.close()
  }
})
