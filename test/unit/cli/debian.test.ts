import { expect, it } from 'vitest'
import { debianCommand, type DebianOptions } from '../../../server/cli/src/template/debian.ts'

const today: DebianOptions = {
  suite: 'bookworm',
  packages: ['jq'],
  arch: 'aarch64',
  mirror: null,
  snapshot: null,
}

it('builds a Debian with an SSH server, of the packages and the mirror that are asked for', () => {
  const { argv, env } = debianCommand({ ...today, mirror: 'http://mirror.example/debian' })
  expect(argv).toContain('--architectures=arm64')
  expect(argv.find((each) => each.startsWith('--include='))).toMatch(/[=,]dropbear-bin,.*,jq$/u)
  expect(argv.slice(-3)).toEqual(['bookworm', '-', 'http://mirror.example/debian'])
  // What the build itself writes has a fixed time, so that the same packages give the same image.
  expect(env['SOURCE_DATE_EPOCH']).toBe('1767225600')
})

it('takes the packages of a snapshot, whose time is the latest of all files', () => {
  const { argv, env } = debianCommand({ ...today, snapshot: '20260301T120000Z' })
  expect(argv.at(-1)).toBe('http://snapshot.debian.org/archive/debian/20260301T120000Z/')
  expect(argv).toContain('--aptopt=Acquire::Check-Valid-Until "false"')
  expect(env['SOURCE_DATE_EPOCH']).toBe(String(Date.UTC(2026, 2, 1, 12) / 1000))
})

it('refuses a snapshot that is no time, and processors that Debian does not have', () => {
  expect(() => debianCommand({ ...today, snapshot: 'yesterday' })).toThrow('no time of a snapshot')
  expect(() => debianCommand({ ...today, snapshot: '20261340T000000Z' })).toThrow('no time')
  expect(() => debianCommand({ ...today, arch: 'loongarch64' })).toThrow(
    'Debian has no loongarch64',
  )
})
