import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LabError } from '@community-lab/contract'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { guardSpace } from '../../../../agent/src/sliver/template/space.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-space-'))
})
afterEach(() => rm(folder, { recursive: true }))

const many = Number.MAX_SAFE_INTEGER

it.each([
  ['more files', { files: 20, mib: many }, { count: 500, bytes: 0 }, '20 files'],
  ['more bytes', { files: many, mib: 2 }, { count: 1, bytes: 40 * 2 ** 20 }, '2 MiB'],
])('ends a task that puts %s on the disk than it may', async (_, most, { count, bytes }, said) => {
  using guard = await guardSpace(folder, {
    keptMiB: () => 0,
    tooFull: () => new LabError('LAB_INTERNAL', { what: 'the disk is full' }),
    bounds: {
      most,
      exceeded: (reason) => new LabError('LAB_TEMPLATE_BROKEN', { template: 'bomb', reason }),
    },
    signal: new AbortController().signal,
  })
  const ended = once(guard.signal, 'abort')
  for (let nr = 0; nr < count; nr += 1)
    await writeFile(join(folder, String(nr)), Buffer.alloc(bytes, 1), { flush: bytes > 0 })
  await ended
  expect(guard.signal.reason).toMatchObject({
    code: 'LAB_TEMPLATE_BROKEN',
    details: { reason: said },
  })
})
