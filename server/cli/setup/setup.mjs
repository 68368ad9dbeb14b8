// @ts-check
import process from 'node:process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SetupFailure, SetupStopped } from './failure.mjs'
import { holdLock } from './lock.mjs'
import { watchParents } from './parents.mjs'
import { placeComplaint } from './place.mjs'
import { Report } from './report.mjs'
import { nodeComplaint } from './versions.mjs'
import { withoutOwnBin } from './npm-packages.mjs'
import { debianStep } from './step/debian.mjs'
import { nodeTestStep, npmStep } from './step/npm.mjs'
import { buildStep, extensionStep } from './step/build.mjs'
import { papermillStep, pythonStep, pythonTestStep } from './step/python.mjs'
import { kernelStep, panelStep } from './step/jupyter.mjs'
import { templateStep } from './step/template.mjs'

/** The checkout that contains this file. */
export const checkout = resolve(fileURLToPath(new URL('../../../', import.meta.url)))

/**
 * @typedef {object} Setup the argument of every step
 * @property {string} root the checkout
 * @property {string} home the data folder
 * @property {'run' | 'test'} purpose
 * @property {NodeJS.ProcessEnv} env for commands: without our own node_modules/.bin
 * @property {Report} report
 * @property {AbortSignal} signal
 * @property {(name: string) => string} stamp the file which records that a step is done
 * @property {(name: string) => string} log the file for the output of a step's commands
 */

/**
 * @typedef {object} Step one part of the set-up
 * @property {string} name the name in the progress output
 * @property {(setup: Setup) => string | null} why why the step must be done; null when it is done
 * @property {(setup: Setup) => Promise<void>} run does the step; after an interruption it can be done again, which repairs everything
 */

/** @type {readonly Step[]} */
const steps = [
  debianStep,
  npmStep,
  buildStep,
  extensionStep,
  pythonStep,
  papermillStep,
  kernelStep,
  panelStep,
  templateStep,
]

/**
 * Make the checkout ready to run or to test. Does only what is not done yet. Takes a few seconds when everything is done.
 * @param {object} options
 * @param {'run' | 'test'} options.purpose
 * @param {AbortSignal} options.signal stops the set-up between or within steps; steps that are done stay done
 * @param {string} [options.root]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {import('./report.mjs').Output} [options.output]
 * @param {readonly Step[]} [options.steps]
 * @returns {Promise<void>} rejects with SetupFailure (what happened, what to do) or SetupStopped
 */
export async function setUp(options) {
  const { purpose, signal, root = checkout, env = process.env } = options
  const complaint = nodeComplaint(process.version)
  if (complaint !== null) throw new SetupFailure('Node.js', 'it is too old', complaint)
  const misplaced = placeComplaint(root)
  if (misplaced !== null) throw new SetupFailure('checkout', 'it is in the wrong place', misplaced)
  const folder = join(root, '.community-lab')
  const report = new Report(options.output ?? process.stderr)
  /** @type {Setup} */
  const setup = {
    root,
    home: homeOf(root, env),
    purpose,
    env: withoutOwnBin(env, root),
    report,
    signal,
    stamp: (name) => join(folder, 'setup', `${name}.json`),
    log: (name) => join(folder, 'logs', `setup-${name}.log`),
  }
  const release = await holdLock(root, {
    signal,
    onWait: (pid) => report.note(`waiting for another set-up of this checkout (process ${pid})`),
  })
  try {
    for (const step of options.steps ??
      (purpose === 'test' ? [...steps, pythonTestStep, nodeTestStep] : steps))
      await doStep(step, setup)
    report.close()
  } finally {
    release()
  }
}

/** Return the data folder: COMMUNITY_LAB_HOME, or `.community-lab` in the checkout. @param {string} root @param {NodeJS.ProcessEnv} env */
function homeOf(root, env) {
  const chosen = env['COMMUNITY_LAB_HOME']
  return chosen === undefined || chosen === '' ? join(root, '.community-lab') : resolve(chosen)
}

/** @param {Step} step @param {Setup} setup */
async function doStep(step, setup) {
  if (setup.signal.aborted) throw new SetupStopped()
  const reason = step.why(setup)
  if (reason === null) return
  setup.report.begin(`${step.name} (${reason})`)
  try {
    await step.run(setup)
    setup.report.end('done')
  } catch (error) {
    setup.report.end(error instanceof SetupStopped ? 'stopped' : 'failed')
    throw error
  }
}

/**
 * Print why a set-up failed, and return the exit code: 130 when it was stopped, and 1 otherwise. Any other error is thrown again.
 * @param {unknown} error @param {{ write: (text: string) => unknown }} output
 */
export function explainFailure(error, output) {
  if (error instanceof SetupStopped) {
    output.write('stopped; what is done stays done, run the same command again to go on\n')
    return 130
  }
  if (!(error instanceof SetupFailure)) throw error
  for (const line of error.tail) output.write(`    ${line}\n`)
  output.write(`error: ${error.message} [LAB_SETUP_FAILED]\n`)
  return 1
}

/**
 * Listen for Ctrl-C, SIGTERM, and the end of the terminal or of the process that started this one.
 * @returns {{ signal: AbortSignal, forget: () => void }} the signal that they abort, and a function that ends the listening
 */
export function listenForStop() {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
  for (const each of signals) process.on(each, stop)
  const forgetParents = watchParents(stop)
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      // EPIPE: the reader has gone; EIO: the terminal has gone.
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
      stop()
    })
  return {
    signal: controller.signal,
    forget() {
      for (const each of signals) process.off(each, stop)
      forgetParents()
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { signal } = listenForStop()
  try {
    await setUp({ purpose: process.argv.includes('--test') ? 'test' : 'run', signal })
  } catch (error) {
    process.exitCode = explainFailure(error, process.stderr)
  }
}
