import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDataset } from '../../../../kernel/src/run/dataset.ts'

const published = resolve(import.meta.dirname, '../../../../datasets/node-health/2026-11-23')
const linksFile = 'node_links-57cc457a61c1d833.parquet'

let folder: string
beforeEach(async () => {
  const home = await mkdtemp(join(tmpdir(), 'cl-dataset-'))
  folder = join(home, "a ca'se")
})
afterEach(() => rm(resolve(folder, '..'), { recursive: true, force: true }))

it('has the tables of the manifest, without a testbed, with times as everywhere', async () => {
  await cp(published, folder, { recursive: true })
  await using dataset = await openDataset(folder)
  const tables = await dataset.tables()
  expect(tables.map(({ name }) => name)).toContain('node_links')
  const rows = await dataset.sql<{ time: Date; n: number }>`
    select min(time) as time, count(*) as n from node_health where node in (${['n1', 'n4']})`
  expect(rows).toEqual([{ time: new Date('2026-11-23T12:00:23.612Z'), n: 259 }])
  await expect(dataset.sql`from nothing`).rejects.toMatchObject({
    code: 'LAB_SQL_FAILED',
    details: { tables: tables.map(({ name }) => name) },
  })
})

it('refuses a folder that is no dataset, and files that are not what the manifest says', async () => {
  const refused = (reason: RegExp) =>
    expect(openDataset(folder)).rejects.toMatchObject({
      code: 'LAB_DATASET_INVALID',
      details: { folder, reason: expect.stringMatching(reason) as string },
    })
  await refused(/manifest\.json.*ENOENT/u)
  await cp(published, folder, { recursive: true })
  const manifest = join(folder, 'manifest.json')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace(`"${linksFile}"`, `"../${linksFile}"`))
  await refused(/manifest\.json/u)
  await writeFile(manifest, text)
  const links = join(folder, linksFile)
  await writeFile(links, (await readFile(links)).subarray(1))
  await refused(/^node_links-\w+\.parquet does not have the SHA-256/u)
  await rm(links)
  await refused(/ENOENT.*node_links-/u)
})

it('ends its queries when it is closed', async () => {
  const dataset = await openDataset(published)
  const query = dataset.sql`select count(*) from range(100_000_000_000) where range % 7 = 3`
  const ended = expect(query).rejects.toMatchObject({ name: 'AbortError' })
  await dataset.close()
  await ended
  await expect(dataset.sql`from node_health`).rejects.toMatchObject({ name: 'AbortError' })
  await dataset.close()
})
