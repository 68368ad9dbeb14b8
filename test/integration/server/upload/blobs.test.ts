import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createBlobs } from '../../../../server/src/upload/blobs.ts'

it('removes what an earlier version of the server was receiving, and nothing else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cl-test-'))
  try {
    const kept = [`${'a'.repeat(64)}.tar.gz`, 'incoming-of-a-person']
    for (const name of kept) await writeFile(join(dir, name), '')
    await mkdir(join(dir, 'incoming-aB3_x9'))
    await writeFile(join(dir, 'incoming-aB3_x9', 'image'), 'half of it')
    const readUsed = () => Promise.resolve(new Set<string>())
    await createBlobs({ dir, extension: '.tar.gz', readUsed }).removeLeftovers()
    expect((await readdir(dir)).sort()).toEqual(kept)
  } finally {
    await rm(dir, { recursive: true })
  }
})
