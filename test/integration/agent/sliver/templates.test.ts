import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { gunzipSync, gzipSync } from 'node:zlib'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  openTemplates,
  type TemplateTarget,
  type Templates,
} from '../../../../agent/src/sliver/template/templates.ts'

const run = promisify(execFile)
const { signal } = new AbortController()
const isUsed = (): boolean => false
const keptMiB = (): number => 0

let folder: string
let dir: string
let template: TemplateTarget
let fetches: number

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  dir = join(folder, 'templates')
  await mkdir(join(folder, 'content'))
  await writeFile(join(folder, 'content', 'motd'), 'hello\n')
  await run('tar', ['-czf', join(folder, 'image'), '-C', join(folder, 'content'), '.'])
  const sha256 = createHash('sha256')
    .update(await readFile(join(folder, 'image')))
    .digest('hex')
  template = {
    id: 1,
    name: 'small',
    type: 'debian',
    node_archs: ['x86_64'],
    is_active: true,
    image_uri: 'image',
    image_sha256: sha256,
  }
  fetches = 0
})

afterEach(() => rm(folder, { recursive: true }))

function open(): Promise<Templates> {
  return openTemplates({
    dir,
    async fetchImage(uri) {
      fetches += 1
      const image = await readFile(join(folder, uri))
      return (async function* () {
        yield await Promise.resolve(image)
      })()
    },
  })
}

it('keeps a template that a sliver is made from while another sliver’s end has it pruned', async () => {
  const templates = await open()
  const held = await templates.hold(template, { keptMiB, signal })
  await templates.prune(isUsed)
  expect(await readFile(join(held.root, 'motd'), 'utf8')).toBe('hello\n')
  held[Symbol.dispose]()
  await templates.prune(isUsed)
  expect(await readdir(dir)).toEqual([])
})

it('fetches one that is pruned at the moment it is wanted again', async () => {
  const templates = await open()
  const first = await templates.hold(template, { keptMiB, signal })
  first[Symbol.dispose]()
  const pruned = templates.prune(isUsed)
  const held = await templates.hold(template, { keptMiB, signal })
  await pruned
  expect(await readFile(join(held.root, 'motd'), 'utf8')).toBe('hello\n')
  expect(fetches).toBeLessThanOrEqual(2)
})

it('removes what an agent that was killed had half-made', async () => {
  await mkdir(join(dir, '.0123456789abcdef-00000000'), { recursive: true })
  await writeFile(join(dir, '.0123456789abcdef-00000000.tar.gz'), 'half')
  await open()
  expect(await readdir(dir)).toEqual([])
})

/** Templates whose images come when the test says so; each fetch has its signal. */
async function openSlow() {
  const fetched: { readonly signal: AbortSignal; readonly send: () => void }[] = []
  const begun = new EventEmitter()
  const templates = await openTemplates({
    dir,
    async fetchImage(uri, aborted) {
      const image = await readFile(join(folder, uri))
      const sent = Promise.withResolvers<null>()
      aborted.addEventListener('abort', () => sent.reject(aborted.reason as Error))
      // It may end before anybody reads it.
      sent.promise.catch(() => undefined)
      fetched.push({ signal: aborted, send: () => sent.resolve(null) })
      begun.emit('fetch')
      return (async function* () {
        await sent.promise
        yield image
      })()
    },
  })
  return { templates, fetched, next: () => once(begun, 'fetch') }
}

it('goes on fetching for one sliver when another that waited for the same is not wanted any more', async () => {
  const { templates, fetched, next } = await openSlow()
  const begun = next()
  const leaving = new AbortController()
  const left = templates.hold(template, { keptMiB, signal: leaving.signal })
  const stays = templates.hold(template, { keptMiB, signal })
  await begun
  leaving.abort()
  await expect(left).rejects.toThrow('abort')
  expect(fetched[0]?.signal.aborted).toBe(false)
  fetched[0]?.send()
  using held = await stays
  expect(await readFile(join(held.root, 'motd'), 'utf8')).toBe('hello\n')
  expect(fetched).toHaveLength(1)
})

it('gives a fetch up when nobody waits for it any more, and fetches again for who comes next', async () => {
  const { templates, fetched, next } = await openSlow()
  const begun = next()
  const leaving = new AbortController()
  const left = templates.hold(template, { keptMiB, signal: leaving.signal })
  await begun
  leaving.abort()
  await expect(left).rejects.toThrow('abort')
  expect(fetched[0]?.signal.aborted).toBe(true)
  const again = next()
  const held = templates.hold(template, { keptMiB, signal })
  await again
  fetched[1]?.send()
  expect(await readFile(join((await held).root, 'motd'), 'utf8')).toBe('hello\n')
  expect(await readdir(dir)).toEqual([template.image_sha256])
})

it('knows which templates are here', async () => {
  const templates = await open()
  expect([await templates.has(null), await templates.has(template)]).toEqual([false, false])
  using _held = await templates.hold(template, { keptMiB, signal })
  expect(await templates.has(template)).toBe(true)
})

it('does not take the disk that has been promised: a template that does not fit beside it is given up, and leaves nothing', async () => {
  const templates = await open()
  await expect(
    templates.hold(template, { keptMiB: () => Number.MAX_SAFE_INTEGER, signal }),
  ).rejects.toMatchObject({ code: 'LAB_TEMPLATE_NO_ROOM' })
  expect(await readdir(dir)).toEqual([])
  using held = await templates.hold(template, { keptMiB, signal })
  expect(held.root).toContain(dir)
  expect(await templates.measureMiB(() => true)).toBe(1)
  expect(await templates.measureMiB(isUsed)).toBe(0)
})

it.runIf(process.getuid?.() === 0)(
  'leaves out the devices of an image, wherever they are: a stranger’s image is no way to the node’s disks',
  async () => {
    const content = join(folder, 'content')
    await run('mknod', [join(content, 'disk'), 'b', '7', '0'])
    await run('mknod', [join(content, 'memory'), 'c', '1', '1'])
    await run('tar', ['-czf', join(folder, 'image'), '-C', content, '.'])
    const bytes = await readFile(join(folder, 'image'))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const templates = await open()
    using held = await templates.hold({ ...template, image_sha256: sha256 }, { keptMiB, signal })
    expect(await readdir(held.root)).toEqual(['motd'])
  },
)

/** Make an image, as a stranger might. */
async function imageOf(make: (content: string) => Promise<Buffer>): Promise<TemplateTarget> {
  const bytes = await make(join(folder, 'content'))
  await writeFile(join(folder, 'image'), bytes)
  return { ...template, image_sha256: createHash('sha256').update(bytes).digest('hex') }
}

const tarOf = async (...args: readonly string[]): Promise<Buffer> =>
  (await run('tar', ['-cz', ...args], { encoding: 'buffer', maxBuffer: 2 ** 26 })).stdout

it.each([
  ['is no gzip file', () => Promise.resolve(Buffer.from('PK')), /gzip: .*not in gzip format/u],
  [
    'is no tar archive',
    () => Promise.resolve(gzipSync(Buffer.alloc(10_000, 'x'))),
    /does not look like a tar archive/u,
  ],
  [
    'breaks off in its middle',
    async (content: string) => (await tarOf('-C', content, '.')).subarray(0, 60),
    /Unexpected|unexpected end of file/u,
  ],
  [
    'has a file beside its root',
    (content: string) => tarOf('-P', '-C', content, '--transform', 's,motd,../../outside,', '.'),
    /Member name contains '\.\.'/u,
  ],
])(
  'refuses an image that %s, with the words of tar, and keeps nothing of it',
  async (_, make, words) => {
    const target = await imageOf(make)
    const templates = await open()
    await expect(templates.hold(target, { keptMiB, signal })).rejects.toMatchObject({
      code: 'LAB_TEMPLATE_BROKEN',
      details: { template: 'small', reason: expect.stringMatching(words) as string },
    })
    expect(await readdir(dir)).toEqual([])
    expect((await readdir(folder)).sort()).toEqual(['content', 'image', 'templates'])
  },
)

it('writes through no link of an image, and none of it leads to a file of the node', async () => {
  const target = await imageOf(async (content) => {
    await writeFile(join(folder, 'of-node'), 'of the node')
    await symlink(folder, join(content, 'way'))
    const links = await tarOf('-C', content, 'way')
    await rm(join(content, 'way'))
    await mkdir(join(content, 'way'))
    await writeFile(join(content, 'way', 'of-node'), 'of a stranger')
    await link(join(content, 'motd'), join(content, 'hard'))
    const rest = await tarOf(
      '-P',
      '-C',
      content,
      '--transform',
      'flags=h;s,^motd$,/etc/hostname,',
      'way/of-node',
      'motd',
      'hard',
    )
    // An archive is a sequence of entries up to two empty blocks, and gzip files may follow each other.
    return gzipSync(Buffer.concat([gunzipSync(links).subarray(0, 512), gunzipSync(rest)]))
  })
  const templates = await open()
  await templates.hold(target, { keptMiB, signal }).catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'LAB_TEMPLATE_BROKEN' })
  })
  expect(await readFile(join(folder, 'of-node'), 'utf8')).toBe('of the node')
})
