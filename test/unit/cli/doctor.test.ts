import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cgroupFinding } from '../../../server/cli/src/command/doctor.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('what the doctor says of control groups', () => {
  it('is content with version 2', async () => {
    await writeFile(join(root, 'cgroup.controllers'), 'cpu memory pids')
    expect(await cgroupFinding(root)).toMatchObject({ fine: true, detail: 'version 2' })
    expect(await readdir(root)).toEqual(['cgroup.controllers'])
  })

  it('is content with the hierarchies of version 1', async () => {
    for (const name of ['memory', 'pids', 'cpu']) await mkdir(join(root, name))
    expect(await cgroupFinding(root)).toMatchObject({ fine: true, detail: 'version 1' })
    expect(await readdir(join(root, 'memory'))).toEqual([])
  })

  it('says that limits do not hold where a hierarchy is missing', async () => {
    for (const name of ['memory', 'pids']) await mkdir(join(root, name))
    const finding = await cgroupFinding(root)
    expect(finding).toMatchObject({ fine: false, needed: false })
    expect(finding.detail).toContain('ENOENT')
  })
})
