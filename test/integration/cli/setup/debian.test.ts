import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { failureNotes, installPackages } from '../../../../server/cli/setup/debian.mjs'

let folder: string
let bin: string

/** Takes the place of apt-get: it installs every package that is named but those in BROKEN, all or nothing, as the real one does. */
const aptGet = `#!/bin/sh
echo "$*" >> "$STATE/asked"
[ -n "$OFFLINE" ] && { echo "E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'deb.debian.org'"; exit 100; }
for each; do case $each in
  update) [ -n "$BAD_SOURCE" ] && { echo "E: The repository 'https://third.example stable Release' does not have a Release file."; exit 100; }; touch "$STATE/updated"; exit 0;;
  --simulate) simulate=1;;
esac; done
for each; do case " $BROKEN " in *" $each "*) echo "E: Unable to locate package $each"; exit 100;; esac; done
[ -n "$simulate" ] && exit 0
install=
for each; do case $each in install) install=1;; -*|*=*|true) ;; *) [ -n "$install" ] && echo "$each installed" >> "$STATE/packages";; esac; done
exit "\${ENDS_WITH:-0}"
`

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-debian-'))
  bin = join(folder, 'bin')
  await mkdir(bin)
  await writeFile(join(folder, 'packages'), '')
  const programs = {
    'apt-get': aptGet,
    dpkg: '#!/bin/sh\n',
    'dpkg-query': '#!/bin/sh\ncat "$STATE/packages"\n',
  }
  for (const [name, text] of Object.entries(programs))
    await writeFile(join(bin, name), text, { mode: 0o755 })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const install = (names: readonly string[], env: NodeJS.ProcessEnv) =>
  installPackages(names, {
    step: 'Debian packages',
    log: join(folder, 'log'),
    signal: new AbortController().signal,
    onLine: () => undefined,
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, STATE: folder, ...env },
    policyFile: join(folder, 'policy-rc.d'),
  })
const installed = () => readFile(join(folder, 'packages'), 'utf8')
const asked = async () => (await readFile(join(folder, 'asked'), 'utf8')).trim().split('\n')

it('installs all in one call where nothing fails, and asks for no list of packages', async () => {
  expect(await install(['tinc', 'crun'], {})).toEqual([])
  expect(await installed()).toBe('tinc installed\ncrun installed\n')
  expect(await asked()).toHaveLength(2)
})

it('installs all others where one cannot be installed, and says which and why', async () => {
  const failed = await install(['tinc', 'crun', 'runc'], { BROKEN: 'crun' })
  expect(await installed()).toBe('tinc installed\nrunc installed\n')
  expect(failed).toEqual([{ name: 'crun', reason: 'E: Unable to locate package crun' }])
  expect(failureNotes(failed, '/log')).toEqual([
    expect.stringContaining('not installed: crun (E: Unable to locate package crun)'),
  ])
})

it('installs what it can where a source of somebody else cannot be read', async () => {
  expect(await install(['tinc', 'crun'], { BROKEN: 'crun', BAD_SOURCE: '1' })).toHaveLength(1)
  expect(await installed()).toBe('tinc installed\n')
})

it('counts a package that is there as installed, although apt-get failed for another', async () => {
  expect(await install(['tinc'], { ENDS_WITH: '100' })).toEqual([])
})

it('does not try each by itself without a network, and says so once for all', async () => {
  const failed = await install(['tinc', 'crun'], { OFFLINE: '1' })
  expect(failureNotes(failed, '/log')).toEqual([
    expect.stringMatching(/^not installed: tinc, crun \(the network did not answer/u),
  ])
  expect(await asked()).toHaveLength(3)
})
