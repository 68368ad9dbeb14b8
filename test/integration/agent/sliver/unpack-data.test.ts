import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { LabError } from '@community-lab/contract'
import tar, { type Header } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unpackData } from '../../../../agent/src/sliver/data/unpack.ts'

type Entry = Partial<Header> & Pick<Header, 'name'> & { readonly content?: string }

let folder: string
let upper: string
let template: string
const isRoot = process.getuid?.() === 0
/** Those of a sliver: it has the ids of this user, or others where the tests may give files away. */
const outside = isRoot ? 200_000 : (process.getuid?.() ?? 0)
const ids = [
  { inside: 0, outside, count: isRoot ? 1000 : 1 },
  { inside: 65_534, outside: isRoot ? 201_000 : outside, count: 1 },
]
const time = new Date('2020-01-02T03:04:05Z')

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-data-'))
  upper = join(folder, 'upper')
  template = join(folder, 'template')
  await mkdir(upper)
  await mkdir(join(template, 'usr/bin'), { recursive: true })
  await mkdir(join(template, 'root'), { mode: 0o700 })
  await writeFile(join(template, 'usr/bin/sh'), 'the shell')
  await symlink('usr/bin', join(template, 'bin'))
  await symlink('/../../usr', join(template, 'up'))
  await symlink('turn', join(template, 'turn'))
})
afterEach(() => rm(folder, { recursive: true }))

function pack(entries: readonly Entry[]): Promise<Buffer> {
  const packing = tar.pack()
  const packed = buffer(packing)
  for (const { content, ...entry } of entries)
    packing.entry({ mtime: time, ...entry }, content ?? '')
  packing.finalize()
  return packed
}

async function unpack(archive: Buffer, most = { mib: 1, entries: 100 }): Promise<void> {
  const file = join(folder, 'archive')
  await writeFile(file, archive)
  const { signal } = new AbortController()
  await unpackData(file, { upper, template, ids, most, signal })
}

/** Unpack what is to be refused. Returns the code and the sentence. */
async function refusal(archive: Buffer): Promise<readonly [string, string]> {
  const error: unknown = await unpack(archive).catch((reason: unknown) => reason)
  return LabError.is(error) ? [error.code, error.message] : ['', String(error)]
}

const read = (name: string): Promise<string> => readFile(join(upper, name), 'utf8')

describe('a data archive', () => {
  it('keeps files, modes, times, links and empty folders, plain and compressed', async () => {
    const plain = await pack([
      { name: 'srv/run.sh', mode: 0o4755, content: 'echo' },
      { name: 'srv/empty/', type: 'directory', mode: 0o750 },
      { name: 'srv/again', type: 'symlink', linkname: '../../anywhere' },
      { name: '/srv/second', type: 'link', linkname: 'srv/run.sh' },
      { name: './srv/run.sh', mode: 0o755, content: 'echo 2' },
      { name: 'dev/sda', type: 'block-device', devmajor: 8 },
      { name: 'pipe', type: 'fifo' },
    ])
    for (const archive of [plain, gzipSync(plain), zstdCompressSync(plain)]) {
      await rm(upper, { recursive: true })
      await mkdir(upper)
      await unpack(archive)
      const names = await readdir(upper, { recursive: true })
      expect(names.sort()).toEqual(['srv', 'srv/again', 'srv/empty', 'srv/run.sh', 'srv/second'])
      expect([await read('srv/run.sh'), await read('srv/second')]).toEqual(['echo 2', 'echo'])
      const [script, first, empty] = await Promise.all(
        ['srv/run.sh', 'srv/second', 'srv/empty'].map((name) => lstat(join(upper, name))),
      )
      expect([script?.mode, first?.mode, empty?.mode].map((mode) => (mode ?? 0) & 0o7777)).toEqual([
        0o755, 0o4755, 0o750,
      ])
      expect([script?.mtime, empty?.mtime]).toEqual([time, time])
    }
  })

  it('is merged: folders and links of the template stay as they are', async () => {
    await unpack(
      await pack([
        { name: './', type: 'directory', mode: 0o700 },
        { name: 'root/', type: 'directory', mode: 0o775, uid: 1000 },
        { name: 'root/own/', type: 'directory', mode: 0o770 },
        { name: 'root/own/', type: 'directory', mode: 0o775 },
        { name: 'root/data.csv', content: '1' },
        { name: 'bin/tool', content: 'a tool' },
        { name: 'up/share/x', content: 'in the root' },
        { name: 'usr/bin/sh', content: 'another shell' },
      ]),
    )
    const names = await readdir(upper, { recursive: true })
    expect(names.filter((name) => /[lxv]$|sh$/u.test(name)).sort()).toEqual([
      'root/data.csv',
      'usr/bin/sh',
      'usr/bin/tool',
      'usr/share/x',
    ])
    // With a mode of a folder at home, such as 0775, the SSH server would refuse the keys in /root.
    const home = await lstat(join(upper, 'root'))
    expect([home.mode & 0o7777, home.uid]).toEqual([0o700, outside])
    expect((await lstat(join(upper, 'root/own'))).mode & 0o7777).toBe(0o775)
    expect(await readFile(join(template, 'usr/bin/sh'), 'utf8')).toBe('the shell')
  })

  it.runIf(isRoot)('belongs to the ids of the sliver', async () => {
    await unpack(
      await pack([
        { name: 'home/', type: 'directory' },
        { name: 'home/of-ada', uid: 100, gid: 7, content: '' },
        { name: 'home/of-nobody', uid: 1_000_000, gid: 65_534, content: '' },
      ]),
    )
    const owners = await Promise.all(
      ['home', 'home/of-ada', 'home/of-nobody'].map(async (name) => {
        const { uid, gid } = await lstat(join(upper, name))
        return [uid, gid]
      }),
    )
    expect(owners).toEqual([
      [200_000, 200_000],
      [200_100, 200_007],
      [201_000, 201_000],
    ])
  })

  it.each([
    ['leads upwards', [{ name: 'a/../../x', content: '' }], 'leads upwards'],
    [
      'goes through a link of its own',
      [
        { name: 'a', type: 'symlink', linkname: '/etc' },
        { name: 'a/passwd', content: 'root::0:0' },
      ],
      'a link or a file there',
    ],
    [
      'has a second name for a file that is not its own',
      [{ name: 'a', type: 'link', linkname: '/usr/bin/sh' }],
      'no file of the archive',
    ],
    [
      'has a second name for what a link leads to',
      [
        { name: 'a', type: 'symlink', linkname: '/etc/passwd' },
        { name: 'b', type: 'link', linkname: 'a' },
      ],
      'no file of the archive',
    ],
    ['follows links in circles', [{ name: 'turn/x', content: '' }], 'in circles'],
    ['puts a file where a folder is', [{ name: 'usr', content: '' }], 'a folder already'],
    ['puts a folder where a file is', [{ name: 'usr/bin/sh/x', content: '' }], 'has a file there'],
    [
      'has sparse files as BSD writes them',
      [
        {
          name: 'GNUSparseFile.0/disk',
          pax: { 'GNU.sparse.major': '1', 'GNU.sparse.name': 'disk' },
          content: '',
        },
      ],
      'sparse',
    ],
    ['has a name that is too long', [{ name: 'n'.repeat(300), content: '' }], 'ENAMETOOLONG'],
  ] as const)('is refused when it %s', async (_what, entries, reason) => {
    const [code, message] = await refusal(await pack(entries))
    expect(code).toBe('LAB_DATA_INVALID')
    expect(message).toContain(reason)
    expect((await readdir(folder)).sort()).toEqual(['archive', 'template', 'upper'])
  })

  it('is refused as soon as it has more than the sliver’s disk', async () => {
    const zeros = Buffer.alloc(2 ** 20 * 3)
    const head = await pack([{ name: 'zeros', size: 2 ** 20 * 3, content: zeros.toString() }])
    expect((await refusal(gzipSync(head)))[0]).toBe('LAB_DATA_TOO_LARGE')
    const files = Array.from({ length: 101 }, (_, nr) => ({ name: `f${nr}`, content: '' }))
    expect((await refusal(await pack(files)))[1]).toContain('the 100 files and folders')
    const deep = `${'d/'.repeat(101)}f`
    expect((await refusal(await pack([{ name: deep, content: '' }])))[0]).toBe('LAB_DATA_TOO_LARGE')
    expect(await readdir(upper, { recursive: true })).not.toContain('zeros')
  })

  it('is refused when it is a bomb without files', async () => {
    const zeros = gzipSync(Buffer.alloc(64 * 2 ** 20))
    expect((await refusal(zeros))[1]).toContain('far more bytes than files')
    const long = await pack([{ name: 'x', pax: { comment: 'c'.repeat(3 * 2 ** 20) }, content: '' }])
    expect((await refusal(gzipSync(long)))[1]).toContain('far more bytes than files')
  })

  it('is refused with the words of the tool when it is damaged', async () => {
    const whole = await pack([{ name: 'a', content: 'x'.repeat(5000) }])
    const zipped = gzipSync(whole)
    for (const [archive, reason] of [
      [whole.subarray(0, 3000), 'nexpected end'],
      [zipped.subarray(0, zipped.length - 12), 'unexpected end of file'],
      [gzipSync('plain text '.repeat(100)), 'nvalid tar header'],
    ] as const) {
      const [code, message] = await refusal(archive)
      expect([code, message]).toEqual(['LAB_DATA_INVALID', expect.stringContaining(reason)])
    }
  })

  it('is read as GNU tar writes it, with long names', async () => {
    const source = join(folder, 'source')
    const long = `${'long-name-'.repeat(12)}end`
    await mkdir(source)
    await writeFile(join(source, long), 'content')
    const archive = join(folder, 'archive')
    const argv = ['--format=gnu', '-czf', archive, '-C', source, '.']
    await promisify(execFile)('tar', argv)
    await unpack(await readFile(archive))
    expect(await read(long)).toBe('content')
  })
})
