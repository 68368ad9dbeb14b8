import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../..')
const packages = ['server', 'server/vct', 'server/cli', 'agent', 'kernel']
/** The parts of the contract that are built on their own. */
const parts = ['host', 'files']

it.each(packages)(
  '%s names each part of the contract that it imports, so that a fresh clone builds it before',
  (name) => {
    const folder = join(root, name)
    const { references } = JSON.parse(readFileSync(join(folder, 'tsconfig.json'), 'utf8')) as {
      readonly references: readonly { readonly path: string }[]
    }
    const named = references.map(({ path }) => relative(root, join(folder, path)))
    const texts = globSync('src/**/*.ts', { cwd: folder }).map((file) =>
      readFileSync(join(folder, file), 'utf8'),
    )
    const imported = parts.filter((part) =>
      texts.some((text) => text.includes(`from '@community-lab/contract/${part}'`)),
    )
    expect(named).toEqual(expect.arrayContaining(imported.map((part) => `server/contract/${part}`)))
  },
)
