// @ts-check
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isOffline, remedyOf } from './failure.mjs'
import { tryCommand } from './command.mjs'

/** @typedef {{ name: string, for: 'run' | 'test', programs: readonly string[], why: string }} DebianPackage */

/** The Debian packages that the testbed and its tests need, with the reasons. @type {readonly DebianPackage[]} */
const debianPackages = JSON.parse(
  readFileSync(new URL('./debian-packages.json', import.meta.url), 'utf8'),
)

/** Return the packages for a purpose. Tests also need those for running. @param {'run' | 'test'} purpose */
export function packagesFor(purpose) {
  return debianPackages.filter((each) => purpose === 'test' || each.for === 'run')
}

/**
 * Return the names of the installed packages from the output of `dpkg-query -W -f '${Package} ${db:Status-Status}\n'`.
 * @param {string} text
 */
export function parseInstalled(text) {
  const rows = text.split('\n').map((line) => line.split(' '))
  return new Set(rows.filter(([, status]) => status === 'installed').map(([name = '']) => name))
}

/**
 * Find the missing packages. Without dpkg, these are the packages whose programs are not found.
 * @param {readonly DebianPackage[]} wanted
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ debian: boolean, missing: readonly DebianPackage[] }}
 */
export function findMissing(wanted, env = process.env) {
  const installed = askDpkg(
    wanted.map((each) => each.name),
    env,
  )
  if (installed !== null)
    return { debian: true, missing: wanted.filter((each) => !installed.has(each.name)) }
  return {
    debian: false,
    missing: wanted.filter((each) =>
      each.programs.some((program) => findProgram(program) === null),
    ),
  }
}

/** Return the path of a program, also from the folders that only root has in PATH; null when it is not found. @param {string} program */
export function findProgram(program) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file)) ?? null
}

/**
 * Tell an ordinary user in one line what to install.
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
 * @typedef {object} InstallOptions
 * @property {string} step
 * @property {string} log
 * @property {AbortSignal} signal
 * @property {(line: string) => void} onLine
 * @property {NodeJS.ProcessEnv} env
 * @property {string} [policyFile]
 */

/**
 * Install packages by apt-get, without starting their services. First all packages are installed in one call. If that fails, each is installed separately, so
 * that one that cannot be installed does not stop the others. A package source that cannot be read affects only its own packages.
 * @param {readonly string[]} names
 * @param {InstallOptions} options
 * @returns {Promise<readonly { name: string, reason: string }[]>} the packages that could not be installed, with the reasons
 */
export async function installPackages(names, options) {
  const env = { ...options.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  /** @param {readonly string[]} argv */
  const run = (argv) => tryCommand(argv, { ...options, env, untouchable: true })
  const settings = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=1']
  const timeouts = ['http', 'https'].flatMap((kind) => ['-o', `Acquire::${kind}::Timeout=30`])
  const apt = ['apt-get', ...settings, ...timeouts]
  const install = [...apt, 'install', '--yes', '--no-install-recommends']
  const absent = () => {
    const installed = askDpkg(names, env) ?? new Set()
    return names.filter((name) => !installed.has(name))
  }
  const restore = forbidServices(options.policyFile ?? '/usr/sbin/policy-rc.d')
  try {
    // dpkg refuses all work until the unfinished work of an interrupted dpkg is completed.
    await run(['dpkg', '--configure', '-a'])
    const known = await run([...install, '--simulate', ...names])
    if (known.code === 0) await run([...install, ...names])
    if (absent().length === 0) return []
    const update = await run([...apt, 'update'])
    const again = await run([...install, ...absent()])
    if (absent().length === 0) return []
    if (isOffline([...update.tail, ...again.tail])) {
      const reason = remedyOf([...update.tail, ...again.tail], options.log)
      return absent().map((name) => ({ name, reason }))
    }
    /** @type {{ name: string, reason: string }[]} */
    const failed = []
    for (const name of absent()) {
      const result = await run([...install, name])
      // apt-get also fails when another package is broken. Only dpkg knows whether this package is installed.
      if (absent().includes(name)) failed.push({ name, reason: reasonOf(result) })
    }
    return failed
  } finally {
    restore()
  }
}

/** @param {{ error: string | null, tail: readonly string[] }} result */
function reasonOf({ error, tail }) {
  if (error !== null) return error
  return tail.find((line) => /^(E: |dpkg: error)/u.test(line)) ?? tail.at(-1) ?? 'no reason given'
}

/**
 * Describe the packages that could not be installed, in one line for each reason.
 * @param {readonly { name: string, reason: string }[]} failed @param {string} log
 */
export function failureNotes(failed, log) {
  const reasons = [...new Set(failed.map(({ reason }) => reason))]
  return reasons.map((reason) => {
    const names = failed.filter((each) => each.reason === reason).map(({ name }) => name)
    return `not installed: ${names.join(', ')} (${reason}); all that does without goes on; apt-get's words are in ${log}`
  })
}

const ourPolicy =
  '#!/bin/sh\n# Community-Lab is installing packages: no service starts meanwhile.\nexit 101\n'

/**
 * Prevent the start of services while packages are installed, by Debian's policy-rc.d. The previous file is restored afterwards, also after a crash.
 * @param {string} file
 * @returns {() => void} restores the previous file
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

/** @param {readonly string[]} names @param {NodeJS.ProcessEnv} env @returns {Set<string> | null} null: there is no dpkg */
function askDpkg(names, env) {
  try {
    return parseInstalled(askDpkgQuery(names, env))
  } catch (error) {
    const failure = /** @type {{ code?: string, stdout?: string }} */ (error)
    if (failure.code === 'ENOENT') return null
    // dpkg-query exits with 1 when it does not know one of the names, and still prints the others.
    return parseInstalled(failure.stdout ?? '')
  }
}

/** @param {readonly string[]} names @param {NodeJS.ProcessEnv} env */
const askDpkgQuery = (names, env) =>
  execFileSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
