import { mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const variable = 'COMMUNITY_LAB_TEST_RUN_FOLDER'

/** Set-up of a project of tests: a folder for what its files share. It is removed after the run. */
export default async function makeRunFolder(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'cl-test-run-'))
  process.env[variable] = folder
  return () => rm(folder, { recursive: true, force: true })
}

/**
 * Return something that is made once in a run of tests, as a folder that nobody may change. `make` fills a new folder. Files that need it at the same time may each make
 * one: the first that is whole counts, and the others are removed. Null outside of a run with such a folder.
 */
export async function makeOnce(
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string | null> {
  const run = process.env[variable]
  if (run === undefined) return null
  const made = join(run, name)
  if (await exists(made)) return made
  const own = await mkdtemp(join(run, 'unfinished-'))
  await make(own)
  await rename(own, made).catch(async (error: unknown) => {
    if (!(await exists(made))) throw error
    await rm(own, { recursive: true, force: true })
  })
  return made
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
