import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lab } from '../../../kernel/src/lab.ts'
import type { Slice } from '../../../kernel/src/sliver/slice.ts'
import { openLab } from './world/lab.ts'
import { startWorld, type World } from './world/testbed.ts'

const run = promisify(execFile)

let world: World
let lab: Lab
let slice: Slice
let dir: string

beforeAll(async () => {
  world = await startWorld(2)
  lab = openLab(world)
  slice = await lab.slices.get('first')
  dir = await mkdtemp('/var/tmp/kernel-mistakes-')
})
afterAll(async () => {
  await lab.close()
  await world.close()
  await rm(dir, { recursive: true })
})

const first = () => slice.sliver('n1')

describe('an unusual call', () => {
  it('may have a time limit beyond the longest timer', async () => {
    expect((await first().exec('true', { timeoutMs: 2 ** 40 })).ok).toBe(true)
  })

  it('may name a folder of the sliver that does not exist, which the result reports', async () => {
    const result = await first().exec('true', { cwd: '/no/such' })
    expect([result.ok, result.stderr]).toEqual([false, expect.stringContaining('/no/such')])
  })

  it('may print more than is kept: the command goes on to its end', async () => {
    const result = await first().exec('dd if=/dev/zero bs=1M count=200 2>/dev/null; exit 3')
    expect([result.truncated, result.stdoutBytes.length, result.exitCode]).toEqual([
      true,
      64 * 1024 ** 2,
      3,
    ])
  })

  it('may run a program that reads an endless input until its time limit', async () => {
    const result = await first().exec('cat /dev/zero > /dev/null', { timeoutMs: 300 })
    expect(result.error?.code).toBe('LAB_COMMAND_TIMEOUT')
  })
})

describe('an upload', () => {
  it('refuses pipes and sockets by name, alone and in a folder, and does not wait for them', async () => {
    const folder = path.join(dir, 'special')
    await mkdir(folder)
    await run('mkfifo', [path.join(folder, 'pipe')])
    await expect(slice.upload(path.join(folder, 'pipe'), '/tmp')).rejects.toThrow(/neither a file/u)
    await expect(slice.upload(folder, '/tmp')).rejects.toThrow(/pipe is neither a file/u)
    await rm(path.join(folder, 'pipe'))
    const server = createServer().listen(path.join(folder, 'socket'))
    await expect(slice.upload(folder, '/tmp')).rejects.toThrow(/socket is neither a file/u)
    server.close()
  })

  it('copies a folder whose links form a cycle', async () => {
    const folder = path.join(dir, 'circle')
    await mkdir(path.join(folder, 'inner'), { recursive: true })
    await symlink('..', path.join(folder, 'inner', 'up'))
    await symlink('self', path.join(folder, 'self'))
    await slice.upload(folder, '/tmp/circle')
    const [result] = await slice.sh`readlink /tmp/circle/inner/up /tmp/circle/self`
    expect(result?.stdout).toBe('..\nself\n')
    await expect(slice.upload(path.join(folder, 'self'), '/tmp')).rejects.toThrow(/ELOOP/u)
  })

  it('refuses what is too large before reading it', async () => {
    const file = path.join(dir, 'sparse')
    const handle = await open(file, 'w')
    await handle.truncate(3 * 1024 ** 3)
    await handle.close()
    const before = process.memoryUsage().rss
    await expect(slice.upload(file, '/tmp')).rejects.toThrow(/more than 1073741824 bytes/u)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 ** 2)
  })

  it('copies very many small files', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`many/${index}`, 'x']),
    )
    await slice.upload(files, '/tmp')
    const [result] = await slice.sh`ls /tmp/many | wc -l`
    expect(result?.stdout.trim()).toBe('20000')
  })
})

describe('a download', () => {
  it('goes into an existing folder, and leaves its other content', async () => {
    const to = path.join(dir, 'there')
    await mkdir(to)
    await writeFile(path.join(to, 'mine'), 'mine')
    await first().sh`mkdir -p /tmp/d && echo new > /tmp/d/file`
    await first().download('/tmp/d', to)
    expect((await readdir(to)).sort()).toEqual(['file', 'mine'])
  })

  it('reports what prevents it: a full disk, a file in place of its folder', async () => {
    const to = path.join(dir, 'small')
    await mkdir(to)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', to])
    try {
      await first().sh`dd if=/dev/zero of=/tmp/large bs=1k count=200 2>/dev/null`
      await expect(first().download('/tmp/large', to)).rejects.toMatchObject({
        code: 'LAB_DOWNLOAD_FAILED',
        message: expect.stringMatching(/ENOSPC/u) as string,
      })
      expect(await readdir(to)).toEqual([])
      await run('mount', ['-o', 'remount,ro', to])
      await expect(first().download('/etc/hostname', to)).rejects.toMatchObject({
        code: 'LAB_DOWNLOAD_FAILED',
        message: expect.stringMatching(/EROFS/u) as string,
      })
    } finally {
      await run('umount', [to])
    }
    await writeFile(path.join(dir, 'file'), '')
    await expect(first().download('/tmp/d', path.join(dir, 'file', 'x'))).rejects.toMatchObject({
      code: 'LAB_DOWNLOAD_FAILED',
    })
    const [all] = await slice.download('/tmp/d', path.join(dir, 'file'))
    expect(all?.error?.code).toBe('LAB_DOWNLOAD_FAILED')
    expect(await readFile(path.join(dir, 'file'), 'utf8')).toBe('')
  })
})
