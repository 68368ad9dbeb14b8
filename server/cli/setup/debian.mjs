// @ts-check
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { SetupFailure, remedyOf } from './failure.mjs'
import { tryCommand } from './command.mjs'

/** @typedef {{ name: string, for: 'run' | 'test', programs: readonly string[], why: string }} DebianPackage */

/** What the testbed and its tests need of Debian, and why. @type {readonly DebianPackage[]} */
export const debianPackages = JSON.parse(
  readFileSync(new URL('./debian-packages.json', import.meta.url), 'utf8'),
)

/** The packages for a purpose; tests need those of running too. @param {'run' | 'test'} purpose */
export function packagesFor(purpose) {
  return debianPackages.filter((each) => purpose === 'test' || each.for === 'run')
}

/**
 * Read `dpkg-query -W -f '${Package} ${db:Status-Status}\n'`: the names that are installed.
 * @param {string} text
 */
export function parseInstalled(text) {
  const rows = text.split('\n').map((line) => line.split(' '))
  return new Set(rows.filter(([, status]) => status === 'installed').map(([name = '']) => name))
}

/**
 * Which packages are missing here. Where there is no dpkg, those whose programs are nowhere.
 * @param {readonly DebianPackage[]} wanted
 * @returns {{ debian: boolean, missing: readonly DebianPackage[] }}
 */
export function findMissing(wanted) {
  const installed = askDpkg(wanted.map((each) => each.name))
  if (installed !== null)
    return { debian: true, missing: wanted.filter((each) => !installed.has(each.name)) }
  return {
    debian: false,
    missing: wanted.filter((each) =>
      each.programs.some((program) => findProgram(program) === null),
    ),
  }
}

/** Where a program is, also in the folders that only root has in PATH; null when nowhere. @param {string} program */
export function findProgram(program) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file)) ?? null
}

/**
 * The one line that tells an ordinary user what to install.
 * @param {readonly DebianPackage[]} missing @param {boolean} debian
 */
export function installAdvice(missing, debian) {
  const names = missing.map((each) => each.name).join(' ')
  if (debian)
    return `to have everything, install: sudo apt-get install --no-install-recommends ${names}`
  const programs = missing.flatMap((each) => each.programs).join(', ')
  return `this is not Debian; install what brings these programs: ${programs} (in Debian: ${names})`
}

/**
 * Install packages by apt-get, in one call, without starting their services.
 * @param {readonly string[]} names
 * @param {{ step: string, log: string, signal: AbortSignal, onLine: (line: string) => void, policyFile?: string }} options
 */
export async function installPackages(names, options) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  /** @param {readonly string[]} argv */
  const apt = (argv) =>
    tryCommand(['apt-get', '-o', 'DPkg::Lock::Timeout=300', ...argv], {
      ...options,
      env,
      untouchable: true,
    })
  const install = ['install', '--yes', '--no-install-recommends', ...names]
  const restore = forbidServices(options.policyFile ?? '/usr/sbin/policy-rc.d')
  try {
    // A dpkg that was interrupted once refuses all further work until this is done.
    await tryCommand(['dpkg', '--configure', '-a'], { ...options, env, untouchable: true })
    const known = await apt(['install', '--simulate', '--no-install-recommends', ...names])
    let result = known.code === 0 ? await apt(install) : known
    if (result.code !== 0) {
      const update = await apt(['update', '--error-on=any'])
      result = update.code === 0 ? await apt(install) : update
    }
    if (result.code !== 0)
      throw new SetupFailure(
        options.step,
        result.error ?? 'apt-get could not install them',
        remedyOf(result.tail, options.log),
        { tail: result.tail, log: options.log },
      )
  } finally {
    restore()
  }
}

const ourPolicy =
  '#!/bin/sh\n# Community-Lab is installing packages: no service starts meanwhile.\nexit 101\n'

/**
 * Let no service start while packages are installed, by Debian's policy-rc.d; what was there comes back afterwards, also after a crash.
 * @param {string} file
 * @returns {() => void} puts things back
 */
export function forbidServices(file) {
  const saved = `${file}.before-community-lab`
  const restore = () => {
    if (existsSync(file) && readFileSync(file, 'utf8') === ourPolicy) rmSync(file)
    if (existsSync(saved)) renameSync(saved, file)
  }
  restore()
  if (existsSync(file)) renameSync(file, saved)
  writeFileSync(file, ourPolicy, { mode: 0o755 })
  return restore
}

/** @param {readonly string[]} names @returns {Set<string> | null} null: there is no dpkg */
function askDpkg(names) {
  try {
    return parseInstalled(askDpkgQuery(names))
  } catch (error) {
    const failure = /** @type {{ code?: string, stdout?: string }} */ (error)
    if (failure.code === 'ENOENT') return null
    // It ends with 1 when it does not know one of the names, and still tells of the others.
    return parseInstalled(failure.stdout ?? '')
  }
}

/** @param {readonly string[]} names */
const askDpkgQuery = (names) =>
  execFileSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
