// @ts-check
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand, tryCommand } from '../command.mjs'
import { SetupFailure } from '../failure.mjs'
import { findPython, uvEnvironment } from '../python.mjs'
import { contentHash, isStamped, removeStamp, writeStamp } from '../stamp.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */
/** @typedef {import('../setup.mjs').Step} Step */

const uvRequirements = 'server/cli/setup/uv-requirements.txt'
const requirements = 'server/cli/jupyter/requirements.txt'
const testRequirements = 'server/cli/jupyter/requirements-test.txt'

/** JupyterLab and what runs notebooks, in a virtual environment of the checkout's own. @type {Step} */
export const pythonStep = {
  name: 'JupyterLab in .venv',
  why: ({ root, stamp }) => {
    if (!existsSync(join(root, '.venv', 'bin', 'jupyter-lab'))) return 'it is not there'
    if (!pythonRuns(root)) return 'its Python has gone'
    return isStamped(stamp('python'), inputs(root)) ? null : 'its list of packages has changed'
  },
  async run(setup) {
    const { root, stamp, report } = setup
    const python = findPython(setup.env)
    if (python === null)
      throw new SetupFailure(
        'JupyterLab in .venv',
        'there is no Python 3.10 or newer that can make virtual environments',
        'install one (Debian: python3 and python3-venv), or name it in COMMUNITY_LAB_PYTHON, and run the same command again',
      )
    removeStamp(stamp('python'))
    removeStamp(stamp('python-test'))
    report.detail(`a virtual environment of Python ${python.version}`)
    await runCommand([python.program, '-m', 'venv', '--clear', '.venv'], command(setup))
    await install(setup, requirements)
    writeStamp(stamp('python'), inputs(root))
  },
}

/** What the tests of Jupyter's protocol need besides. @type {Step} */
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

/** Install a list of packages, each pinned and checked by hash: by uv, which takes seconds, else by pip. @param {Setup} setup @param {string} file */
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
      report.note('uv could not install the packages; trying pip')
    }
  }
  await runCommand([...pip, '--require-hashes', '-r', file], command(setup))
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
  // An environment knows its own path: that of a checkout which was moved has to be made anew.
  root,
  requirements: contentHash(join(root, requirements)),
})

/** @param {string} root */
const testInputs = (root) => ({
  ...inputs(root),
  testRequirements: contentHash(join(root, testRequirements)),
})

/** @param {string} root */
function pythonRuns(root) {
  try {
    execFileSync(join(root, '.venv', 'bin', 'python'), ['-c', ''], { stdio: 'ignore' })
    return true
  } catch {
    // The Python that it was made with is gone or replaced.
    return false
  }
}

/** @param {string} python @param {NodeJS.ProcessEnv} env */
function askPip(python, env) {
  try {
    return execFileSync(python, ['-m', 'pip', 'config', 'list'], { encoding: 'utf8', env })
  } catch {
    // A pip without configuration to tell of.
    return ''
  }
}
