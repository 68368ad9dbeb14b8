// @ts-check
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand, tryCommand } from '../command.mjs'
import { SetupFailure, isOffline, remedyOf } from '../failure.mjs'
import { findPythons, uvEnvironment } from '../python.mjs'
import { contentHash, fingerprintOf, isStamped, removeStamp, writeStamp } from '../stamp.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */
/** @typedef {import('../setup.mjs').Step} Step */

const uvRequirements = 'server/cli/setup/uv-requirements.txt'
const requirements = 'server/cli/jupyter/requirements.txt'
const translator = 'kernel/papermill'
const testRequirements = 'server/cli/jupyter/requirements-test.txt'

/** Installs JupyterLab and the packages that run notebooks, in a virtual environment of the checkout. @type {Step} */
export const pythonStep = {
  name: 'JupyterLab in .venv',
  why: ({ root, stamp }) => {
    if (!existsSync(join(root, '.venv', 'bin', 'jupyter-lab'))) return 'it is not there'
    if (askIdentity(root) === null) return 'its Python has gone'
    return isStamped(stamp('python'), inputs(root))
      ? null
      : 'its list of packages, its place or its Python has changed'
  },
  async run(setup) {
    const { root, stamp } = setup
    removeStamp(stamp('python'))
    removeStamp(stamp('papermill'))
    removeStamp(stamp('python-test'))
    await makeEnvironment(setup)
    await install(setup, requirements)
    writeStamp(stamp('python'), inputs(root))
  },
}

/** Create `.venv` again, with the first Python that can do it. @param {Setup} setup */
async function makeEnvironment(setup) {
  const { env, report, log } = setup
  const remedy =
    'install Python 3.10 or newer with what makes virtual environments (Debian: apt-get install python3 python3-venv), or name such a Python in COMMUNITY_LAB_PYTHON, and run the same command again'
  /** @type {string[]} */
  let tail = []
  const pythons = findPythons(env)
  for (const { program, version } of pythons) {
    report.detail(`a virtual environment of Python ${version}`)
    const made = await tryCommand([program, '-m', 'venv', '--clear', '.venv'], command(setup))
    if (made.code === 0) return
    tail = made.tail
  }
  const names = pythons.map(({ program, version }) => `${program} (${version})`).join(', ')
  const problem =
    names === ''
      ? 'there is no Python 3.10 or newer that can make virtual environments'
      : `no virtual environment can be made by ${names}`
  throw new SetupFailure('JupyterLab in .venv', problem, remedy, { tail, log: log('python') })
}

/** Installs the translator with which papermill, if a user installs it there, passes parameters to notebooks in TypeScript. @type {Step} */
export const papermillStep = {
  name: "papermill's translator",
  why: ({ root, stamp }) =>
    isStamped(stamp('papermill'), translatorInputs(root)) ? null : 'it is not there or has changed',
  async run(setup) {
    const { root, env, stamp } = setup
    const python = join(root, '.venv', 'bin', 'python')
    // The build tools are installed already, so nothing is downloaded.
    const how = ['--disable-pip-version-check', '--no-input', 'install', '--no-index', '--no-deps']
    const what = ['--no-build-isolation', '--force-reinstall', join(root, translator)]
    await runCommand([python, '-m', 'pip', ...how, ...what], {
      ...command(setup),
      step: papermillStep.name,
      env,
    })
    writeStamp(stamp('papermill'), translatorInputs(root))
  },
}

/** Installs the packages for the tests of Jupyter's protocol. @type {Step} */
export const pythonTestStep = {
  name: 'Python packages of the tests',
  why: ({ root, stamp }) =>
    isStamped(stamp('python-test'), testInputs(root)) ? null : 'they are not all there',
  async run(setup) {
    removeStamp(setup.stamp('python-test'))
    await install(setup, testRequirements)
    writeStamp(setup.stamp('python-test'), testInputs(setup.root))
  },
}

/** Install a list of packages, each pinned and checked by hash. uv does it in seconds; pip is used otherwise. @param {Setup} setup @param {string} file */
async function install(setup, file) {
  const { root, env, report } = setup
  const python = join(root, '.venv', 'bin', 'python')
  const pip = [python, '-m', 'pip', '--disable-pip-version-check', '--no-input', 'install']
  const uvEnv = uvEnvironment(askPip(python, env))
  if (uvEnv !== null) {
    report.detail('uv, which installs the rest')
    const got = await tryCommand([...pip, '--require-hashes', '-r', uvRequirements], command(setup))
    if (got.code === 0) {
      const uv = [join(root, '.venv', 'bin', 'uv'), 'pip', 'install', '--python', python]
      const options = { ...command(setup), env: { ...env, ...uvEnv } }
      const how = ['--require-hashes', '--compile-bytecode', '-r', file]
      const done = await tryCommand([...uv, ...how], options)
      if (done.code === 0) return
      refuseOffline(done.tail, setup)
      report.note('uv could not install the packages; trying pip')
    } else refuseOffline(got.tail, setup)
  }
  await runCommand([...pip, '--require-hashes', '-r', file], command(setup))
}

/** Fail at once when there is no network, because pip would try again for a minute. @param {string[]} tail @param {Setup} setup */
function refuseOffline(tail, { log }) {
  if (!isOffline(tail)) return
  const file = log('python')
  const remedy = remedyOf(tail, file)
  throw new SetupFailure('JupyterLab in .venv', 'its packages could not be fetched', remedy, {
    tail,
    log: file,
  })
}

/** @param {Setup} setup */
const command = ({ root, env, signal, report, log }) => ({
  step: 'JupyterLab in .venv',
  cwd: root,
  env,
  signal,
  log: log('python'),
  onLine: (/** @type {string} */ line) => report.detail(line),
})

/** @param {string} root */
const inputs = (root) => ({
  // The environment's programs contain its path, so a moved checkout needs a new one.
  root,
  // Packages are compiled for one version of Python and one processor. An upgrade or another machine needs other ones.
  python: askIdentity(root) ?? 'none',
  requirements: contentHash(join(root, requirements)),
})

/** @param {string} root */
const translatorInputs = (root) => ({
  ...inputs(root),
  translator: fingerprintOf(root, [translator]),
})

/** @param {string} root */
const testInputs = (root) => ({
  ...inputs(root),
  testRequirements: contentHash(join(root, testRequirements)),
})

/** Return version and processor of the environment's Python, such as `3.11 x86_64`; null when it does not run. @param {string} root */
function askIdentity(root) {
  const ask = 'import sys, platform; print("%d.%d" % sys.version_info[:2], platform.machine())'
  try {
    const python = join(root, '.venv', 'bin', 'python')
    return execFileSync(python, ['-c', ask], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    // The Python of the environment was removed, or is one for another machine.
    return null
  }
}

/** @param {string} python @param {NodeJS.ProcessEnv} env */
function askPip(python, env) {
  try {
    return execFileSync(python, ['-m', 'pip', 'config', 'list'], { encoding: 'utf8', env })
  } catch {
    // This pip has no configuration.
    return ''
  }
}
