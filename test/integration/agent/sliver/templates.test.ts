import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  const held = await templates.hold(template, signal)
  await templates.prune(isUsed)
  expect(await readFile(join(held.root, 'motd'), 'utf8')).toBe('hello\n')
  held[Symbol.dispose]()
  await templates.prune(isUsed)
  expect(await readdir(dir)).toEqual([])
})

it('fetches one that is pruned at the moment it is wanted again', async () => {
  const templates = await open()
  const first = await templates.hold(template, signal)
  first[Symbol.dispose]()
  const pruned = templates.prune(isUsed)
  const held = await templates.hold(template, signal)
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
