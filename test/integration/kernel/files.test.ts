import { execFile } from 'node:child_process'
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Lab } from '../../../kernel/src/lab.ts'
import type { Slice } from '../../../kernel/src/sliver/slice.ts'
import type { Sliver } from '../../../kernel/src/sliver/sliver.ts'
import { openLab } from './world/lab.ts'
import { startWorld, type World } from './world/testbed.ts'

let world: World
let lab: Lab
let slice: Slice
let sliver: Sliver
let dir: string

beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world)
  slice = await lab.slices.get('first')
  sliver = slice.sliver('n1')
})
afterAll(async () => {
  await lab.close()
  await world.close()
})
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kernel-files-'))
})
afterEach(() => rm(dir, { recursive: true }))

const modeOf = async (file: string): Promise<string> =>
  ((await lstat(file)).mode & 0o777).toString(8)

async function makeTree(): Promise<string> {
  const tree = path.join(dir, 'tree')
  await mkdir(path.join(tree, 'sub', 'empty'), { recursive: true })
  await writeFile(path.join(tree, 'sub', 'key'), 'secret', { mode: 0o600 })
  await writeFile(path.join(tree, 'run.sh'), '#!/bin/sh\necho ran\n')
  await chmod(path.join(tree, 'run.sh'), 0o755)
  await symlink('sub/key', path.join(tree, 'link'))
  await symlink('/nowhere', path.join(tree, 'dangling'))
  return tree
}

describe('an upload', () => {
  it('copies links, empty folders and modes', async () => {
    await slice.upload(await makeTree(), '/tmp/tree')
    const [listed] =
      await slice.sh`cd /tmp/tree && find . | sort && readlink link && readlink dangling && stat -c %a sub/key run.sh`
    expect(listed?.stdout.trim().split('\n')).toEqual([
      ...['.', './dangling', './link', './run.sh', './sub', './sub/empty', './sub/key'],
      ...['sub/key', '/nowhere', '600', '755'],
    ])
    expect((await slice.sh`/tmp/tree/run.sh`).map(({ stdout }) => stdout)).toEqual([
      'ran\n',
      'ran\n',
    ])
  })

  it('copies times, so that make knows what is new; files given as text were changed now', async () => {
    const tree = await makeTree()
    const changedAt = new Date('2026-01-02T03:04:05Z')
    await utimes(path.join(tree, 'run.sh'), changedAt, changedAt)
    await slice.upload(tree, '/tmp/times')
    const { stdout } = await sliver.sh`stat -c %Y /tmp/times/run.sh`
    expect(Number(stdout)).toBe(changedAt.getTime() / 1000)
    const makefile = 'out: in; cp in out\n'
    await slice.upload({ Makefile: makefile, in: 'old' }, '/tmp/make')
    await sliver.sh({ cwd: '/tmp/make' })`cp in out; touch -d '2026-01-01 00:00:00' out`
    await slice.upload({ in: 'new' }, '/tmp/make')
    const made = await sliver.sh({ cwd: '/tmp/make' })`[ in -nt out ] && cat in`
    expect(made.stdout).toBe('new')
    const back = path.join(dir, 'times')
    await sliver.download('/tmp/times', back)
    await sliver.download('/tmp/times/run.sh', path.join(dir, 'one.sh'))
    for (const file of [path.join(back, 'run.sh'), path.join(dir, 'one.sh')])
      expect((await stat(file)).mtime).toEqual(changedAt)
  })

  it('goes to and comes from the home of root for a path with ~', async () => {
    await slice.upload({ a: 'at home' }, '~/of upload')
    expect((await sliver.sh`cat "$HOME/of upload/a"`).stdout).toBe('at home')
    expect(Buffer.from(await sliver.read('~/of upload/a')).toString()).toBe('at home')
    expect((await sliver.download('~/of upload', path.join(dir, 'home'))).files).toBe(1)
    expect((await sliver.sh({ cwd: '~/of upload' })`pwd`).stdout).toBe('/root/of upload\n')
  })

  it('reports why it failed', async () => {
    await slice.sh`mkdir -p /tmp/small && mount -t tmpfs -o size=1m tmpfs /tmp/small`
    const full = { big: Buffer.alloc(3_000_000) }
    const failed = await slice.upload(full, '/tmp/small').catch((error: unknown) => error)
    expect(String(failed)).toMatch(/the upload failed on sliver .* and on 1 more: .*No space left/u)
  })

  it('refuses what it cannot copy', async () => {
    await promisify(execFile)('mkfifo', [path.join(dir, 'pipe')])
    await expect(slice.upload(dir, '/tmp/x')).rejects.toThrow(/pipe is neither/u)
    await expect(slice.upload(path.join(dir, 'none'), '/tmp/x')).rejects.toThrow(/ENOENT/u)
  })
})

describe('a download', () => {
  it('brings back an uploaded folder with all its content', async () => {
    await slice.upload(await makeTree(), '/tmp/back')
    const to = path.join(dir, 'back')
    const got = await sliver.download('/tmp/back', to)
    expect(got.files).toBe(3)
    expect(got.skipped).toEqual([
      { path: 'dangling', reason: 'it is a link that leads out, to "/nowhere"' },
    ])
    expect((await readdir(to, { recursive: true })).sort()).toEqual(
      ['link', 'run.sh', 'sub', 'sub/empty', 'sub/key'].sort(),
    )
    expect(await readlink(path.join(to, 'link'))).toBe('sub/key')
    expect([await modeOf(path.join(to, 'sub/key')), await modeOf(path.join(to, 'run.sh'))]).toEqual(
      ['600', '755'],
    )
  })

  it('writes a file to a path or into a folder, and replaces an old one', async () => {
    await sliver.sh`echo new > /tmp/note`
    const file = path.join(dir, 'note')
    await writeFile(file, 'old')
    await sliver.download('/tmp/note', file)
    expect(await readFile(file, 'utf8')).toBe('new\n')
    await mkdir(path.join(dir, 'into'))
    await sliver.download('/tmp/note', path.join(dir, 'into'))
    expect(await readFile(path.join(dir, 'into', 'note'), 'utf8')).toBe('new\n')
    expect(await readdir(dir)).toEqual(['into', 'note'])
  })

  it('reads files to their end whose size is not known', async () => {
    const file = path.join(dir, 'version')
    const got = await sliver.download('/proc/version', file)
    const read = Buffer.from(await sliver.read('/proc/version')).toString()
    expect(read).toMatch(/Linux/u)
    expect(await readFile(file, 'utf8')).toBe(read)
    expect(got.bytes).toBe(read.length)
    await expect(sliver.download('/proc/sys/kernel', path.join(dir, 'net'))).rejects.toThrow(
      /one by one/u,
    )
    await expect(sliver.download('/dev/null', file)).rejects.toThrow(/neither a file/u)
  })

  it('takes the same path from every sliver, and hides no failure', async () => {
    await slice.sh`rm -rf /tmp/here`
    await sliver.sh`mkdir -p /tmp/here; echo 1 > /tmp/here/a`
    const got = await slice.download('/tmp/here', dir)
    expect(got.ok).toBe(false)
    expect(got.map(({ error }) => error?.code ?? null)).toEqual([null, 'LAB_COMMAND_FAILED'])
    expect(await readFile(path.join(dir, 'n1', 'a'), 'utf8')).toBe('1\n')
    expect(got[1]?.error?.message).toContain('no such file')
  })

  it('reads a file as bytes', async () => {
    await sliver.exec("printf '\\377\\000x' > /tmp/bytes")
    expect([...(await sliver.read('/tmp/bytes'))]).toEqual([255, 0, 120])
    await expect(sliver.read('/tmp/none')).rejects.toThrow(/none/u)
  })

  it('takes no more than its limits allow', async () => {
    await sliver.sh`mkdir -p /tmp/many && cd /tmp/many && for i in $(seq 20); do echo $i > $i; done`
    const to = path.join(dir, 'many')
    await expect(sliver.download('/tmp/many', to, { maxEntries: 5 })).rejects.toThrow(
      /more than 5 files/u,
    )
    await expect(sliver.download('/tmp/many', to, { maxBytes: 9 })).rejects.toThrow(
      /more than 9 bytes/u,
    )
    expect((await sliver.sh`true`).ok).toBe(true)
  })
})
