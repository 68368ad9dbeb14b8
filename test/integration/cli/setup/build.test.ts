import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projects } from '../../../../server/cli/setup/step/build.mjs'

it('the set-up builds every project but the tests, and builds again when the sources of one have changed', async () => {
  const file = join(import.meta.dirname, '../../../../tsconfig.json')
  const { references } = JSON.parse(await readFile(file, 'utf8')) as {
    readonly references: readonly { readonly path: string }[]
  }
  const built = references.map(({ path }) => path).filter((path) => path !== 'test')
  expect(projects.map(({ folder }) => folder)).toEqual(built)
})
