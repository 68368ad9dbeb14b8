import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findIds, type SliverIds } from '../../../../agent/src/sliver/host/ids.ts'

let rootDir: string
let dataDir: string

beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'ids-'))
  dataDir = join(rootDir, 'data')
  await mkdir(join(rootDir, 'etc'))
  await mkdir(dataDir)
  await writeFile(join(rootDir, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
})

afterEach(() => rm(rootDir, { recursive: true }))

async function find(hasSlivers: boolean, nrOnHost: number | null = null): Promise<SliverIds> {
  const found = await findIds({ dataDir, hasSlivers, nrOnHost, rootDir })
  if (typeof found === 'string') throw new Error(found)
  return found
}

describe.runIf(process.getuid?.() === 0)('the user ids of slivers', () => {
  it('stay what they were when an account is given some of them, and that is told', async () => {
    const first = await find(false)
    expect(first).toMatchObject({ plan: { base: 0x7000_0000, count: 65_536 }, conflict: null })
    await writeFile(join(rootDir, 'etc/subuid'), `ada:${0x7000_0000 + 70_000}:65536\n`)
    const second = await find(true)
    expect(second.plan).toMatchObject(first.plan)
    expect(second.conflict).toContain('ada in /etc/subuid')
  })

  it('are those of before where slivers are older than this rule', async () => {
    await writeFile(join(rootDir, 'etc/subuid'), 'ada:100000:65536\n')
    const { plan, conflict } = await find(true)
    expect(plan).toEqual({ base: 100_000, count: 65_536 })
    expect(conflict).toContain('ada in /etc/subuid')
    expect(JSON.parse(await readFile(join(dataDir, 'ids.json'), 'utf8'))).toMatchObject(plan)
  })

  it('are its own where nodes share a host, as soon as no sliver has files of others', async () => {
    const alone = await find(false)
    expect((await find(true, 2)).plan).toMatchObject(alone.plan)
    const shared = await find(false, 2)
    expect(shared.plan.base).toBeGreaterThanOrEqual(alone.plan.base + 126 * 32_768)
    expect((await find(true, 2)).plan).toMatchObject(shared.plan)
  })

  it('are not guessed when they were written down and cannot be read', async () => {
    await find(false)
    await writeFile(join(dataDir, 'ids.json'), '{"version":')
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await findIds({ dataDir, hasSlivers: true, nrOnHost: null, rootDir })).toContain(
        'cannot be read',
      )
  })
})
