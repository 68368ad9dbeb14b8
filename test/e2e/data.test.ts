import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import process from 'node:process'
import { gzipSync } from 'node:zlib'
import { LabError } from '@community-lab/contract'
import { connect, type Lab, type Slice } from '@community-lab/kernel'
import tar, { type Header } from 'tar-stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbed, type RunningTestbed } from '../support/testbed.ts'

let testbed: RunningTestbed
let lab: Lab
let slice: Slice
let data: string
const first = { template: 'tiny', nodes: ['n1', 'n2'] }

beforeAll(async () => {
  testbed = await startTestbed({ nodes: 2 })
  lab = connect(testbed.credentials)
  data = join(testbed.home, 'data')
  await mkdir(join(data, 'srv/empty'), { recursive: true })
  await writeFile(join(data, 'srv/say.sh'), '#!/bin/sh\necho one\n')
  await chmod(join(data, 'srv/say.sh'), 0o750)
  await symlink('say.sh', join(data, 'srv/link'))
})

afterAll(async () => {
  await lab.close()
  await testbed[Symbol.asyncDispose]()
})

const outputs = (results: Awaited<ReturnType<Slice['sh']>>) => results.map(({ stdout }) => stdout)

it('brings a folder to all slivers of a slice: files, modes, links and empty folders', async () => {
  slice = await lab.slices.ensure('first', { ...first, data })
  await slice.started()
  const said =
    await slice.sh`/srv/link; readlink /srv/link; stat -c '%a %u:%g' /srv/say.sh; ls -a /srv/empty`
  expect(outputs(said)).toEqual(Array(2).fill('one\nsay.sh\n750 0:0\n.\n..\n'))
})

it('brings changed data only when the slivers may be lost', async () => {
  await slice.sh`touch /root/work`
  await writeFile(join(data, 'srv/say.sh'), '#!/bin/sh\necho two\n')
  await expect(lab.slices.ensure('first', { ...first, data })).rejects.toMatchObject({
    code: 'LAB_SLICE_WOULD_LOSE',
  })
  expect(outputs(await slice.sh`/srv/say.sh; ls /root/work`)).toEqual(
    Array(2).fill('one\n/root/work\n'),
  )
  slice = await lab.slices.ensure('first', { ...first, data, mayLose: 'slivers' })
  await slice.started()
  expect(outputs(await slice.sh`/srv/say.sh; ls /root`)).toEqual(Array(2).fill('two\n'))
})

it('does what the kernel’s README shows', async () => {
  const readme = await readFile('kernel/README.md', 'utf8')
  const shown = /^```ts\n((?:(?!```)[^])*?slices\.ensure\('crawl'(?:(?!```)[^])*)^```$/mu.exec(
    readme,
  )?.[1]
  expect(shown).toContain('await slice.sh`sh /srv/count.sh`')
  const script = `${shown?.replace('await slice.sh`', 'const said = await slice.sh`')}
console.log(said.map(({ stdout }) => Number(stdout)).join(' '))
await slice.release()
await lab.close()`
  const { url, token } = testbed.credentials
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module-typescript', '--eval', script],
    {
      env: {
        ...process.env,
        COMMUNITY_LAB_URL: url,
        COMMUNITY_LAB_TOKEN: token,
        XDG_CONFIG_HOME: testbed.home,
      },
    },
  )
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('2 2')
})

type Entry = Partial<Header> & Pick<Header, 'name'>

async function pack(entries: readonly Entry[], content = ''): Promise<Buffer> {
  const packing = tar.pack()
  const packed = buffer(packing)
  for (const entry of entries)
    packing.entry(entry, (entry.type ?? 'file') === 'file' ? content : '')
  packing.finalize()
  return gzipSync(await packed)
}

const bootTime = async () => {
  const results = await slice.sh`cut -d ' ' -f 22 /proc/1/stat`
  return outputs(results)
}

it('keeps a hostile archive from its node and from the slivers beside it, and says what is wrong with it', async () => {
  const outside = join(testbed.home, 'outside')
  await mkdir(outside)
  await chmod(outside, 0o777)
  await writeFile(join(outside, 'secret'), 'secret')
  const before = await bootTime()
  const through: Entry = { name: 'srv/out', type: 'symlink', linkname: outside }
  const many = Array.from({ length: 20_000 }, (_, nr) => ({ name: `srv/${nr}` }))
  const refused: readonly (readonly [Buffer, RegExp])[] = [
    [await pack([{ name: '../x' }]), /at "\.\.\/x": its path leads upwards/u],
    [await pack([through, { name: 'srv/out/x' }]), /at "srv\/out": the archive has a link/u],
    [
      await pack([through, { name: 'srv/y', type: 'link', linkname: 'srv/out/secret' }]),
      /at "srv\/out": the archive has a link/u,
    ],
    [
      await pack([{ name: 'srv/y', type: 'link', linkname: join(outside, 'secret') }]),
      /at "srv\/y": it is a second name of .*, which is no file of the archive/u,
    ],
    [await pack([{ name: 'srv/zeros' }], '\0'.repeat(2 ** 28)), /does not fit into the 128 MiB/u],
    [await pack(many), /does not fit into the 16384 files and folders/u],
  ]
  const options = { template: 'tiny', nodes: ['n2'], mayLose: 'slivers' } as const
  for (const [archive, why] of refused) {
    const hostile = await lab.slices.ensure('hostile', { ...options, data: archive })
    const failure: unknown = await hostile.started().catch((error: unknown) => error)
    const failed = LabError.is(failure, 'LAB_SLICE_FAILED') ? failure.details.failed : []
    expect(failed.map(({ state }) => state)).toEqual(['fail_deploy'])
    expect(failed[0]?.reason).toMatch(why)
  }

  const strange = await pack([
    { name: 'srv/disk', type: 'block-device', devmajor: 8, devminor: 0 },
    { name: 'srv/su', mode: 0o4755 },
  ])
  const hostile = await lab.slices.ensure('hostile', { ...options, data: strange })
  await hostile.started()
  const [left] = await hostile.sh`ls /srv; stat -c '%a %u' /srv/su`
  expect(left?.stdout).toBe('su\n4755 0\n')

  expect(await readdir(outside)).toEqual(['secret'])
  expect(await bootTime()).toEqual(before)
  const [node] = await lab.nodes.find({ name: 'n2' })
  expect(node?.state).toBe('production')
})
