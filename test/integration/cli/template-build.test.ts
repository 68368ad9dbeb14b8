import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makePlace, type Place } from './world/place.ts'

let place: Place
let bin: string
let out: string
beforeAll(async () => {
  place = await makePlace()
  bin = join(place.home, 'bin')
  out = join(place.home, 'out')
  await mkdir(bin)
  await mkdir(out)
})
afterAll(() => place[Symbol.asyncDispose]())

/** Put a program in place of mmdebstrap. */
async function useProgram(text: string): Promise<Readonly<Record<string, string>>> {
  await chmod(await place.write('.community-lab/bin/mmdebstrap', `#!/bin/sh\n${text}\n`), 0o755)
  return { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
}

it('builds the template tiny twice alike, and says its size and SHA-256', async () => {
  const build = async (name: string) => {
    const file = join(out, name)
    const {
      code,
      out: said,
      err,
    } = await place.run(['template', 'build', 'tiny', '--output', file])
    expect([code, err]).toEqual([0, ''])
    const image = await readFile(file)
    const sha256 = createHash('sha256').update(image).digest('hex')
    expect(said).toBe(`${file}: ${image.length} bytes, SHA-256 ${sha256}\n`)
    return sha256
  }
  expect(await build('one.tar.gz')).toBe(await build('two.tar.gz'))
  expect((await readdir(out)).sort()).toEqual(['one.tar.gz', 'two.tar.gz'])
})

it('packs what mmdebstrap writes, and shows what it says', async () => {
  const env = await useProgram(
    'echo "I: downloading" >&2; echo "an archive for $SOURCE_DATE_EPOCH"',
  )
  const shown: string[] = []
  const file = join(out, 'debian.tar.gz')
  const { code } = await place.run(['template', 'build', 'debian', '--output', file], {
    env,
    isTTY: true,
    onText: (text) => shown.push(text),
  })
  expect(code).toBe(0)
  expect(gunzipSync(await readFile(file)).toString()).toBe('an archive for 1767225600\n')
  expect(shown.join('')).toContain('building debian: I: downloading')
})

it('says why mmdebstrap failed, or that it is missing, and leaves nothing', async () => {
  const before = await readdir(out)
  const env = await useProgram('echo half; echo "E: cannot reach the mirror" >&2; exit 25')
  const args = ['template', 'build', 'debian', '--output', join(out, 'failed.tar.gz')]
  const failed = await place.run(args, { env })
  expect([failed.code, failed.err]).toEqual([
    1,
    'error: template debian was not built: E: cannot reach the mirror [LAB_CLI_TEMPLATE_BUILD]\n',
  ])
  const missing = await place.run(args, { env: { PATH: out } })
  expect(missing.err).toContain('mmdebstrap is not installed; as root: apt-get install mmdebstrap')
  expect(await readdir(out)).toEqual(before)
})

it('leaves nothing when it is stopped in its middle', async () => {
  const before = await readdir(out)
  const env = await useProgram('echo half; echo begun >&2; exec sleep 600')
  const stop = new AbortController()
  const { code } = await place.run(
    ['template', 'build', 'debian', '--output', join(out, 'stopped.tar.gz')],
    {
      env,
      isTTY: true,
      signal: stop.signal,
      onText: (text) => {
        if (text.includes('begun')) stop.abort()
      },
    },
  )
  expect(code).toBe(130)
  expect(await readdir(out)).toEqual(before)
})
