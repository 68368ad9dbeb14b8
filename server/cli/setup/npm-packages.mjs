// @ts-check
import { readFileSync } from 'node:fs'
import { join, delimiter } from 'node:path'

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 * @property {readonly string[]} [os]
 * @property {readonly string[]} [cpu]
 * @property {readonly string[]} [libc]
 */

/** @typedef {{ packages?: Readonly<Record<string, LockedPackage>> }} Lockfile */

/**
 * Say why the installed packages are not those of the lockfile; null when they are.
 * @param {Lockfile} wanted package-lock.json
 * @param {Lockfile | null} installed node_modules/.package-lock.json, which npm writes last
 * @param {{ platform: string, arch: string }} machine
 * @returns {string | null}
 */
export function whyInstall(wanted, installed, machine) {
  if (installed === null) return 'they are not installed, or not completely'
  for (const [place, locked] of Object.entries(wanted.packages ?? {})) {
    if (!place.includes('node_modules/')) continue
    const found = installed.packages?.[place]
    if (found === undefined) {
      if (isFor(locked, machine)) return `${place} is missing`
    } else if (locked.link !== true && found.version !== locked.version)
      return `${place} is ${found.version ?? 'unknown'}, not ${locked.version ?? 'unknown'}`
  }
  return null
}

/** @param {LockedPackage} locked @param {{ platform: string, arch: string }} machine */
function isFor({ optional, os, cpu, libc }, { platform, arch }) {
  if (optional !== true) return true
  // npm decides about packages for one C library.
  return (
    libc === undefined && os !== undefined && os.includes(platform) && (cpu?.includes(arch) ?? true)
  )
}

/** Read a lockfile; null when it does not exist or is incomplete. @param {string} file @returns {Lockfile | null} */
export function readLockfile(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // The installation writes it again.
    return null
  }
}

/**
 * Return an environment without our node_modules/.bin in PATH, for npm itself and for programs that must not run on a Node that is being replaced.
 * @param {NodeJS.ProcessEnv} env @param {string} root
 * @returns {NodeJS.ProcessEnv}
 */
export function withoutOwnBin(env, root) {
  const folders = (env['PATH'] ?? '').split(delimiter)
  const kept = folders.filter((folder) => !folder.startsWith(join(root, 'node_modules')))
  /** @type {NodeJS.ProcessEnv} */
  const clean = { ...env, PATH: kept.join(delimiter) }
  // The npm that started this process has set variables that another npm would read as settings.
  for (const name of Object.keys(clean))
    if (/^npm_(package_|lifecycle_|command$)/u.test(name)) delete clean[name]
  // With NODE_ENV=production npm leaves out the packages that build and test the checkout.
  delete clean['NODE_ENV']
  return clean
}
