import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { messageOf } from '@community-lab/contract/samples'
import type { SealedFile } from '../domain/sealing.ts'
import { planAside, tellAside, type AsideBounds } from '../domain/set-aside.ts'
import { hashFile } from './file-writer.ts'
import { damagedEnd, sealedDir, type SealedFiles } from './sealed-files.ts'

/** Return the folder for files that are not in the manifest. */
function asideDir(dir: string): string {
  return join(dir, 'set-aside')
}

/**
 * Compare the sealed files with the manifest, by name and size. One that is missing or has another size is marked, and the rest stays readable. A file that
 * the manifest does not have is set aside, not deleted: a killed server may leave one whose rows are all in the database, but after an older copy of the
 * database was put back it may have the only copy of its rows. Of those that were set aside, the latest are kept. Returns sentences about what was found.
 */
export async function checkFiles(
  dir: string,
  files: SealedFiles,
  bounds: AsideBounds,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const file of files.all()) {
    const fault = await findFault(join(sealedDir(dir), file.file), file)
    if (fault === null) continue
    files.mark(file, fault)
    found.push(describeFault(file, fault))
  }
  const there = await readdir(sealedDir(dir), { recursive: true, withFileTypes: true })
  for (const entry of there) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(sealedDir(dir).length + 1)
    const sealed = name.endsWith(damagedEnd) ? name.slice(0, -damagedEnd.length) : name
    if (!entry.isFile() || !sealed.endsWith('.parquet') || files.find(sealed) !== undefined)
      continue
    await mkdir(asideDir(dir), { recursive: true, mode: 0o700 })
    const aside = join(asideDir(dir), name.replaceAll('/', '_'))
    await rename(path, aside)
    found.push(`${name} is not in the list of sealed files: it was set aside as ${aside}`)
  }
  return [...found, ...(await limitAside(asideDir(dir), bounds))]
}

/** Remove what was set aside first while there is more than is kept. */
async function limitAside(dir: string, bounds: AsideBounds): Promise<readonly string[]> {
  const names = await readdir(dir).catch(() => [])
  const files = await Promise.all(
    names.map(async (name) => {
      // Renaming is the last change of such a file.
      const { size, ctimeNs } = await stat(join(dir, name), { bigint: true })
      return { name, bytes: Number(size), setAsideNs: ctimeNs }
    }),
  )
  const removed = planAside(files, bounds)
  for (const { name } of removed) await rm(join(dir, name), { recursive: true, force: true })
  return removed.length === 0 ? [] : [tellAside(dir, removed, bounds)]
}

/** Find the files whose content is not what was written, and set them aside under another name. Returns sentences about them. */
export async function findDamaged(
  dir: string,
  files: SealedFiles,
  suspects: readonly SealedFile[],
): Promise<readonly string[]> {
  const found: string[] = []
  for (const file of suspects) {
    const path = join(sealedDir(dir), file.file)
    const fault = (await findFault(path, file)) ?? (await findOtherContent(path, file))
    if (fault === null) continue
    files.mark(file, fault)
    found.push(describeFault(file, fault))
  }
  return found
}

function describeFault({ file, rows }: SealedFile, fault: string): string {
  return `sealed file ${file} ${fault}: its ${rows} rows cannot be read; put a copy from a backup back, and start the server again`
}

async function findFault(path: string, { bytes }: SealedFile): Promise<string | null> {
  try {
    const { size } = await stat(path)
    return size === bytes ? null : await setAside(path, `has ${size} bytes and not ${bytes}`)
  } catch (error) {
    const isDamaged = await stat(path + damagedEnd).then(
      () => true,
      () => false,
    )
    if (isDamaged) return `was damaged, and is set aside as ${basename(path)}${damagedEnd}`
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return isMissing ? 'is missing' : `cannot be read (${messageOf(error)})`
  }
}

async function findOtherContent(path: string, { sha256 }: SealedFile): Promise<string | null> {
  try {
    if ((await hashFile(path)) === sha256) return null
    return await setAside(path, 'has another content than was written')
  } catch (error) {
    return `cannot be read (${messageOf(error)})`
  }
}

async function setAside(path: string, what: string): Promise<string> {
  const aside = path + damagedEnd
  await mkdir(dirname(aside), { recursive: true })
  await rename(path, aside)
  return `${what}, and is set aside as ${basename(aside)}`
}
