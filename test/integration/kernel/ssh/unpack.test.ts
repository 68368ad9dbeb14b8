import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import tar, { type Header } from 'tar-stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Unpacking, type Unpacked } from '../../../../kernel/src/ssh/unpack.ts'

// A sliver is not trusted: its archive may have any content.

let dir: string
let folder: string

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'unpack-'))
  folder = path.join(dir, 'in')
  await mkdir(folder)
})
afterEach(() => rm(dir, { recursive: true }))

type Given = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string }

async function unpack(...given: readonly Given[]): Promise<Unpacked> {
  const pack = tar.pack()
  for (const { content = '', ...header } of given) pack.entry(header, content)
  pack.finalize()
  const unpacking = new Unpacking('the archive', folder, { maxBytes: 1_000, maxEntries: 10 })
  const unpacked = unpacking.run()
  unpacking.input.end(await buffer(pack))
  return await unpacked
}

it.each(['../out', '/etc/out', 'a/../../out'])('writes nothing at %s', async (name) => {
  await expect(unpack({ name, content: 'x' })).rejects.toThrow(/leads out of it/u)
  expect(await readdir(dir)).toEqual(['in'])
})

it('writes nothing through a link, whether from the archive or already there', async () => {
  await mkdir(path.join(dir, 'elsewhere'))
  const got = await unpack(
    { name: 'l', type: 'symlink', linkname: '../elsewhere' },
    { name: 'l/x', content: 'x' },
  )
  expect(got.skipped).toHaveLength(1)
  expect(await readdir(path.join(dir, 'elsewhere'))).toEqual([])
  await symlink('../elsewhere', path.join(folder, 'm'))
  await expect(unpack({ name: 'm/x', content: 'x' })).rejects.toThrow(/in the way/u)
  await writeFile(path.join(dir, 'secret'), 'secret')
  await symlink('../secret', path.join(folder, 'file'))
  await unpack({ name: 'file', content: 'mine' })
  expect(await readFile(path.join(dir, 'secret'), 'utf8')).toBe('secret')
  expect(await readFile(path.join(folder, 'file'), 'utf8')).toBe('mine')
})

it('does not change the file behind another hard link', async () => {
  await writeFile(path.join(dir, 'secret'), 'secret')
  await link(path.join(dir, 'secret'), path.join(folder, 'file'))
  await unpack({ name: 'file', content: 'mine' })
  expect(await readFile(path.join(dir, 'secret'), 'utf8')).toBe('secret')
})

it('copies hard links, and none to files outside', async () => {
  await writeFile(path.join(dir, 'secret'), 'secret')
  const got = await unpack(
    { name: 'a', content: 'a' },
    { name: 'b', type: 'link', linkname: 'a' },
    { name: 'c', type: 'link', linkname: '../secret' },
  )
  expect(await readFile(path.join(folder, 'b'), 'utf8')).toBe('a')
  expect(got.skipped.map(({ path: name }) => name)).toEqual(['c'])
})

it('leaves out devices, and reports them', async () => {
  const got = await unpack(
    { name: 'null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'pipe', type: 'fifo' },
  )
  expect(got.skipped.map(({ reason }) => reason)).toEqual([
    'it is a character-device',
    'it is a fifo',
  ])
  expect(await readdir(folder)).toEqual([])
})

it('leaves out names that are not UTF-8: two of them would be one file here', async () => {
  const got = await unpack(
    { name: 'a\ufffd', content: 'one' },
    { name: 'b', type: 'symlink', linkname: 'a\ufffd' },
    { name: 'c', content: 'c' },
  )
  expect(got.skipped.map(({ reason }) => reason)).toEqual(
    Array.from({ length: 2 }, () => 'its name, or that of its target, is not UTF-8'),
  )
  expect(await readdir(folder)).toEqual(['c'])
})

it('takes no more entries and bytes than its limits', async () => {
  const many = Array.from({ length: 11 }, (_, index) => ({ name: `${index}` }))
  await expect(unpack(...many)).rejects.toThrow(/more than 10 files/u)
  await expect(unpack({ name: 'x', content: 'x'.repeat(2_000) })).rejects.toThrow(/1000 bytes/u)
})

it('reports that an archive is cut off', async () => {
  const unpacking = new Unpacking('the archive', folder, { maxBytes: 1_000, maxEntries: 10 })
  const run = unpacking.run()
  unpacking.input.end(Buffer.alloc(100, 1))
  await expect(run).rejects.toThrow()
})

it('fails alone when the archive is cut off while a folder is being made', async () => {
  const pack = tar.pack()
  pack.entry({ name: 'deep/in/x' }, 'x'.repeat(500))
  pack.finalize()
  const unpacking = new Unpacking('the archive', folder, { maxBytes: 1_000, maxEntries: 10 })
  const unpacked = unpacking.run()
  const half = (await buffer(pack)).subarray(0, 600)
  // When this was read, the file has begun and its folder does not exist yet.
  unpacking.input.write(half, () => unpacking.input.destroy())
  await expect(unpacked).rejects.toThrow('the archive was cut off')
})

it('fails alone when its folder cannot be made and nothing arrives', async () => {
  await writeFile(path.join(dir, 'file'), '')
  const limits = { maxBytes: 1_000, maxEntries: 10 }
  const unpacked = new Unpacking('the archive', path.join(dir, 'file', 'x'), limits).run()
  await expect(unpacked).rejects.toThrow(/ENOTDIR/u)
})
