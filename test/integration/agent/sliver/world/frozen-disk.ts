import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../../../../agent/src/sliver/host/command.ts'

/** A file system that takes no write: whoever writes waits in state D, as for a disk that does not answer. */
export async function aFrozenDisk() {
  const dir = await mkdtemp(join(tmpdir(), 'frozen-'))
  const [image, path] = [join(dir, 'image'), join(dir, 'disk')]
  await mkdir(path)
  await runCommand(['truncate', '--size=16M', image])
  await runCommand(['mkfs.ext4', '-q', image])
  await runCommand(['mount', '-o', 'loop', image, path])
  await runCommand(['fsfreeze', '--freeze', path])
  let isFrozen = true
  const thaw = async (): Promise<void> => {
    if (isFrozen) await runCommand(['fsfreeze', '--unfreeze', path])
    isFrozen = false
  }
  return {
    path,
    thaw,
    async [Symbol.asyncDispose]() {
      await thaw()
      await runCommand(['umount', '--lazy', path])
      await rm(dir, { recursive: true })
    },
  }
}
