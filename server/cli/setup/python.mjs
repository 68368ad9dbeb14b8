// @ts-check
import { execFileSync } from 'node:child_process'

/** The names of Pythons to try, in this order. COMMUNITY_LAB_PYTHON comes before all. */
const candidates = [
  'python3',
  '/usr/bin/python3',
  'python3.14',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
]

const probe = 'import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3])'

/**
 * Find every Python from 3.10 on that has the modules for virtual environments, the preferred one first. Creating an environment may still fail
 * (Debian's Python without its wheels), which only a try shows.
 * @param {NodeJS.ProcessEnv} env
 * @returns {readonly { program: string, version: string }[]}
 */
export function findPythons(env) {
  const chosen = env['COMMUNITY_LAB_PYTHON']
  const programs = chosen === undefined || chosen === '' ? candidates : [chosen]
  return programs.flatMap((program) => {
    const version = askPython(program, env)
    const fits = version !== null && /^3\.(1\d|[2-9]\d)\./u.test(version)
    return fits ? [{ program, version }] : []
  })
}

/** @param {string} program @param {NodeJS.ProcessEnv} env @returns {string | null} */
function askPython(program, env) {
  try {
    const options = { encoding: /** @type {const} */ ('utf8'), env, timeout: 20_000 }
    return execFileSync(program, ['-c', probe], {
      ...options,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    // The program does not exist, is too old for these modules, or lacks them (Debian without python3-venv).
    return null
  }
}

/**
 * Translate pip's own configuration for uv, which does not read it.
 * @param {string} configuration the output of `pip config list`: `global.index-url='https://…'` on each line
 * @returns {Record<string, string> | null} the environment for uv; null when uv has no such setting (then pip does the work)
 */
export function uvEnvironment(configuration) {
  /** @type {Record<string, string>} */
  const env = { UV_SYSTEM_CERTS: 'true', UV_PYTHON_DOWNLOADS: 'never' }
  for (const line of configuration.split('\n')) {
    const match = /^(?:global|install|:env:)\.([a-z-]+)='(.*)'$/u.exec(line.trim())
    const [, rawKey = '', value = ''] = match ?? []
    const key = rawKey.replace(/^\.+/u, '')
    const variable = uvVariables.get(key)
    if (variable !== undefined) env[variable] = value
    else if (untranslatable.has(key)) return null
  }
  return env
}

const uvVariables = new Map([
  ['index-url', 'UV_DEFAULT_INDEX'],
  ['extra-index-url', 'UV_INDEX'],
  ['find-links', 'UV_FIND_LINKS'],
  ['no-index', 'UV_NO_INDEX'],
  ['cert', 'SSL_CERT_FILE'],
  ['default-timeout', 'UV_HTTP_TIMEOUT'],
  ['timeout', 'UV_HTTP_TIMEOUT'],
])
const untranslatable = new Set([
  'proxy',
  'client-cert',
  'trusted-host',
  'constraint',
  'target',
  'prefix',
  'user',
])
