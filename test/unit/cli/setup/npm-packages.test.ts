import { expect, it } from 'vitest'
import { whyInstall, withoutOwnBin } from '../../../../server/cli/setup/npm-packages.mjs'

const machine = { platform: 'linux', arch: 'x64' }
const lock = {
  packages: {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '1.2.3' },
    'node_modules/arm': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['arm64'] },
    'node_modules/here': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] },
  },
}
const here = { version: '1.0.0' }

it('finds nothing to install when all that is for this machine is there', () => {
  const installed = {
    packages: { 'node_modules/a': { version: '1.2.3' }, 'node_modules/here': here },
  }
  expect(whyInstall(lock, installed, machine)).toBeNull()
})

it.each([
  ['not installed', null],
  [
    'is 1.2.2, not 1.2.3',
    { packages: { 'node_modules/a': { version: '1.2.2' }, 'node_modules/here': here } },
  ],
  ['node_modules/here is missing', { packages: { 'node_modules/a': { version: '1.2.3' } } }],
])('says why: %s', (why, installed) => {
  expect(whyInstall(lock, installed, machine)).toContain(why)
})

it('keeps what npm told its own script from the npm that it starts', () => {
  const env = {
    PATH: '/c/node_modules/.bin:/usr/bin',
    npm_package_name: 'x',
    npm_config_cafile: '/ca',
  }
  expect(withoutOwnBin(env, '/c')).toEqual({ PATH: '/usr/bin', npm_config_cafile: '/ca' })
})
