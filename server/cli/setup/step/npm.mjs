// @ts-check
import process from 'node:process'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { runCommand } from '../command.mjs'
import { SetupFailure } from '../failure.mjs'
import { readLockfile, whyInstall } from '../npm-packages.mjs'
import { npmComplaint } from '../versions.mjs'

/** Installs the npm packages of the lockfile. Node.js 24 is one of them. @type {import('../setup.mjs').Step} */
export const npmStep = {
  name: 'npm packages',
  why({ root }) {
    const wanted = readLockfile(join(root, 'package-lock.json'))
    const machine = { platform: process.platform, arch: process.arch }
    // npm writes this file at its end, so it is missing after an interrupted installation.
    const installed = readLockfile(join(root, 'node_modules', '.package-lock.json'))
    return whyInstall(wanted ?? {}, installed, machine)
  },
  async run({ root, env, signal, report, log }) {
    const complaint = npmComplaint(askVersion(env))
    if (complaint !== null) throw new SetupFailure('npm packages', 'npm is too old', complaint)
    await runCommand(['npm', 'ci', ...everything, '--no-audit', '--no-fund', '--loglevel=http'], {
      step: 'npm packages',
      cwd: root,
      env,
      signal,
      log: log('npm'),
      onLine: (line) => report.detail(line),
    })
  },
}

const node22 = 'test/node-22'

/** Installs Node 22, which the tests of users' own projects need. @type {import('../setup.mjs').Step} */
export const nodeTestStep = {
  name: 'Node 22 for the tests',
  why({ root }) {
    const wanted = readLockfile(join(root, node22, 'package-lock.json'))
    const machine = { platform: process.platform, arch: process.arch }
    const installed = readLockfile(join(root, node22, 'node_modules', '.package-lock.json'))
    return whyInstall(wanted ?? {}, installed, machine)
  },
  async run({ root, env, signal, report, log }) {
    await runCommand(['npm', 'ci', ...everything, '--no-audit', '--no-fund', '--loglevel=http'], {
      step: nodeTestStep.name,
      cwd: join(root, node22),
      env,
      signal,
      log: log('npm'),
      onLine: (line) => report.detail(line),
    })
  },
}

/** Options that override the user's own settings of npm, such as `omit=dev` and `package-lock=false`, because building a checkout needs all of its packages. */
const everything = [
  '--include=dev',
  '--include=optional',
  '--package-lock=true',
  '--bin-links=true',
  '--install-strategy=hoisted',
  '--global=false',
  '--dry-run=false',
]

/** @param {NodeJS.ProcessEnv} env */
function askVersion(env) {
  try {
    return execFileSync('npm', ['--version'], { encoding: 'utf8', env })
  } catch (error) {
    throw new SetupFailure(
      'npm packages',
      `npm does not start (${error instanceof Error ? error.message : String(error)})`,
      'install npm 10 or newer (it comes with Node.js), and run the same command again',
    )
  }
}
