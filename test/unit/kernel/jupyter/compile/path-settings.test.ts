import { expect, it } from 'vitest'
import { pathsFor } from '../../../../../kernel/src/jupyter/compile/path-settings.ts'

const settings = {
  folder: '/at',
  paths: { '@a/*': ['x/*', 'y/*'], '@a/b/*': ['z/*.ts'], '@a/exact': ['w'], '*-end': ['$&/*'] },
  base: null,
}

it.each([
  ['@a/one', ['/at/x/one', '/at/y/one']],
  ['@a/b/two', ['/at/z/two.ts']],
  ['@a/exact', ['/at/w']],
  ['the-end', ['/at/$&/the']],
  ['@a/', ['/at/x', '/at/y']],
  ['other', []],
  ['./@a/one', []],
  ['node:fs', []],
])('%s stands for %j', (id, paths) => {
  expect(pathsFor(id, settings)).toEqual(paths)
})

it('a base folder has every name, after the paths', () => {
  expect(pathsFor('@a/exact', { ...settings, base: '/base' })).toEqual(['/at/w', '/base/@a/exact'])
  expect(pathsFor('@a/exact', null)).toEqual([])
})
