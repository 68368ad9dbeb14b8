// @ts-check
import process from 'node:process'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { judgeStage, oneTest } from './counts.mjs'

/** The most time for tests to clean up, in milliseconds. */
const graceMs = 30_000

/**
 * @typedef {object} StageOptions
 * @property {string} root
 * @property {NodeJS.ProcessEnv} env
 * @property {string} node
 * @property {AbortSignal} signal
 * @property {string} folder for reports
 */

/**
 * Run checks at the same time, because most of them use one core, and write the output of each after its end, in order.
 * @param {readonly import('./stages.mjs').Check[]} checks
 * @param {StageOptions & { write: (text: string) => void }} options
 * @returns {Promise<readonly import('./counts.mjs').Counts[]>}
 */
export async function runChecks(checks, { root, env, node, signal, write }) {
  const running = checks.map(async ({ name, script: [script = '', ...args] }) => {
    const argv = [node, join(root, 'node_modules', script), ...args]
    /** @type {Buffer[]} */
    const output = []
    const onOutput = (/** @type {Buffer} */ chunk) => void output.push(chunk)
    const code = await runInGroup(argv, { cwd: root, env, signal, onOutput })
    return { name, code, output: Buffer.concat(output).toString() }
  })
  const counts = []
  for (const check of running) {
    const { name, code, output } = await check
    write(`\n== ${name}\n${output}`)
    counts.push(oneTest(name, code === 0))
  }
  return counts
}

/**
 * Run a stage of tests with its output on this terminal.
 * @param {import('./stages.mjs').TestStage} stage
 * @param {StageOptions} options
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
export async function runStage(stage, { root, env, node, signal, folder }) {
  const file = join(folder, `${stage.name}.json`)
  const argv = [
    node,
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...stage.vitest,
    '--passWithNoTests',
    '--reporter=default',
    `--reporter=${join(root, 'test/support/reporter.ts')}`,
  ]
  const code = await runInGroup(argv, {
    cwd: root,
    env: { ...env, COMMUNITY_LAB_TEST_COUNTS: file },
    signal,
  })
  return judgeStage(stage.name, readCounts(file), code)
}

/** @param {string} file @returns {import('./counts.mjs').Counts | null} */
function readCounts(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

/**
 * Run a command in its own process group. Processes that a stage leaves behind are ended with the group, and Ctrl-C reaches the group only once.
 * @param {readonly string[]} argv
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, signal: AbortSignal, onOutput?: (chunk: Buffer) => void }} options `onOutput`: instead of this terminal
 * @returns {Promise<number>}
 */
function runInGroup(argv, { cwd, env, signal, onOutput }) {
  const [program = '', ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd,
      env,
      detached: true,
      stdio: onOutput === undefined ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    })
    if (onOutput !== undefined)
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput)
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const stop = () => {
      signalGroup(child, 'SIGINT')
      timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    child.on('error', reject)
    child.on('exit', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      signalGroup(child, 'SIGTERM')
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} how */
function signalGroup({ pid }, how) {
  if (pid === undefined) return
  try {
    process.kill(-pid, how)
  } catch (error) {
    // ESRCH: the group has ended already.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}
