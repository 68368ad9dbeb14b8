import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OwnFiles } from '../../../../kernel/src/jupyter/child/own-files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'own-files-'))
  await mkdir(join(folder, 'types'))
  for (const name of ['events.ts', 'own.ts', 'types/plain.d.ts'])
    await writeFile(join(folder, name), 'export const n = 1')
})
afterAll(() => rm(folder, { recursive: true }))

it('a tsconfig.json names own files, but no module of Node, and no declarations, which give a package its types alone', () => {
  const files = new OwnFiles(folder, () => {
    throw new Error('nothing is to be compiled')
  })
  files.update([], { folder, paths: { plain: ['types/plain.d.ts'] }, base: folder })
  const located = ['own', 'events', 'plain'].map((id) => files.locate(folder, id))
  expect(located).toEqual([join(folder, 'own.ts'), null, null])
})
