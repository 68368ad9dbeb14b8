import { chmod, lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mapOrNobody, type IdMapping } from '../domain/ids.ts'

/** The setuid and setgid bits. The kernel clears them when a file changes its owner. */
const setIds = 0o6000

/**
 * Change the owners of all files of a root file system, the folder itself included, from the ids in its archive to those of a sliver. A file whose id has no counterpart
 * in the sliver is given to `nobody`. The tree must not change meanwhile.
 */
export async function shiftOwners(root: string, ids: readonly IdMapping[]): Promise<void> {
  const linked = new Set<number>()
  const outside = (id: number): number => mapOrNobody(ids, id)

  async function shift(path: string): Promise<void> {
    const found = await lstat(path)
    const { ino, nlink, mode, uid, gid } = found
    const isFolder = found.isDirectory()
    if (!isFolder && nlink > 1) {
      if (linked.has(ino)) return
      linked.add(ino)
    }
    await lchown(path, outside(uid), outside(gid))
    if ((mode & setIds) !== 0 && !found.isSymbolicLink()) await chmod(path, mode & 0o7777)
    if (!isFolder) return
    const names = await readdir(path)
    await Promise.all(names.map((name) => shift(join(path, name))))
  }

  await shift(root)
}
