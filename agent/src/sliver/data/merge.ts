import { chmod, lchown, lstat, mkdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stats } from 'node:fs'
import { LabError } from '@community-lab/contract'
import { isAbsent } from '../../errno.ts'
import { mapOrNobody, type IdMapping } from '../domain/ids.ts'

/** Options of {@link createMerge}. */
export interface MergeOptions {
  /** The folder for what is merged: the upper layer of the sliver's overlay, which nobody else changes. */
  readonly upper: string
  /** The root file system below it, with the ids of its archive. */
  readonly template: string
  readonly ids: readonly IdMapping[]
  /** Called before something is made in `upper`. */
  readonly onMake: () => void
}

/**
 * Finds where the files of an archive go. A folder of the template stays as it is and gets them in addition. Links of the template to folders are followed
 * inside the root, as in `/bin` of Debian; links of the archive are not followed. So nothing leads out of `upper`, whatever the archive contains.
 */
export interface Merge {
  /** Make a folder, unless the archive or the template has it. */
  folder(names: readonly string[]): Promise<MergedFolder>
  /** Make place for something that is no folder. Returns its path in `upper`. */
  place(names: readonly string[]): Promise<string>
}

/** A folder in `upper`. */
export interface MergedFolder {
  readonly path: string
  /** Whether the template has it, too. Then its owner and mode are those of the template. */
  readonly isOfTemplate: boolean
}

/** As many links as Linux follows in one path. Source: path_resolution(7). */
const mostLinks = 40

/** Merge files over a template. The errors are of LAB_DATA_INVALID and of the file system. */
export function createMerge({ upper, template, ids, onMake }: MergeOptions): Merge {
  const above = (names: readonly string[]): string => join(upper, ...names)
  const below = (names: readonly string[]): string => join(template, ...names)

  /** Go to a folder, and make those on the way that `upper` does not have. Returns its path without links. */
  async function enter(names: readonly string[]): Promise<readonly string[]> {
    const left = [...names]
    let at: readonly string[] = []
    for (let links = 0; left.length > 0;) {
      const name = left.shift() ?? ''
      if (name === '' || name === '.') continue
      if (name === '..') {
        at = at.slice(0, -1)
        continue
      }
      const here = [...at, name]
      const own = await find(above(here))
      if (own !== null && !own.isDirectory())
        throw refuse(here, 'the archive has a link or a file there, and a folder is needed')
      const found = own === null ? await find(below(here)) : null
      if (found?.isSymbolicLink() === true) {
        links += 1
        if (links > mostLinks) throw refuse(here, 'the links of the template go round in circles')
        const target = await readlink(below(here))
        if (target.startsWith('/')) at = []
        left.unshift(...target.split('/'))
        continue
      }
      if (found !== null && !found.isDirectory())
        throw refuse(here, 'the template has a file there, and a folder is needed')
      if (own === null) await makeFolder(above(here), found)
      at = here
    }
    return at
  }

  /** Make a folder as the template has it, or as root's. */
  async function makeFolder(path: string, found: Stats | null): Promise<void> {
    onMake()
    await mkdir(path)
    await lchown(path, mapOrNobody(ids, found?.uid ?? 0), mapOrNobody(ids, found?.gid ?? 0))
    await chmod(path, (found?.mode ?? 0o755) & 0o7777)
  }

  return {
    async folder(names) {
      const at = await enter(names)
      return { path: above(at), isOfTemplate: (await find(below(at))) !== null }
    },
    async place(names) {
      const here = [...(await enter(names.slice(0, -1))), ...names.slice(-1)]
      const [own, found] = [await find(above(here)), await find(below(here))]
      if (own?.isDirectory() === true || (own === null && found?.isDirectory() === true))
        throw refuse(here, 'there is a folder already')
      onMake()
      // The later of two entries with the same name counts.
      if (own !== null) await rm(above(here))
      return above(here)
    },
  }
}

/** Return what is at a path, without following a link; null: nothing. */
async function find(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: unknown) => {
    if (isAbsent(error)) return null
    throw error
  })
}

function refuse(names: readonly string[], reason: string): LabError {
  return new LabError('LAB_DATA_INVALID', { entry: names.join('/').slice(0, 200), reason })
}
