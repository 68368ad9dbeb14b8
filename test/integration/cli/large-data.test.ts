import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packData } from '@community-lab/contract/files'
import { expect, it } from 'vitest'

it('an archive that is larger than data may be is refused before it is read', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'cl-test-data-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'huge.tar')
  {
    await using handle = await open(file, 'w')
    // More than Node reads at once. It takes no room on the disk.
    await handle.truncate(3 * 1024 ** 3)
  }
  await expect(packData(file)).rejects.toMatchObject({
    code: 'LAB_ARGUMENT_INVALID',
    details: { found: expect.stringContaining('of 3221225472 bytes') as unknown },
  })
})
