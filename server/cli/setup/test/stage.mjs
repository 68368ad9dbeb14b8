// @ts-check
import process from 'node:process'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { judgeStage, oneTest } from './counts.mjs'

/** How long tests may take to put away what they started, in milliseconds. */
const graceMs = 30_000

/**
 * Run one stage with its output at this terminal.
 * @param {import('./stages.mjs').Stage} stage
 * @param {{ root: string, env: NodeJS.ProcessEnv, node: string, signal: AbortSignal, folder: string }} options `folder` is for reports
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
export async function runStage(stage, { root, env, node, signal, folder }) {
  if (stage.script !== undefined) {
    const [script = '', ...args] = stage.script
    const argv = [node, join(root, 'node_modules', script), ...args]
    return oneTest(stage.name, (await runInGroup(argv, { cwd: root, env, signal })) === 0)
  }
  const file = join(folder, `${stage.name}.json`)
  const argv = [
    node,
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...(stage.vitest ?? []),
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
 * A process group of its own: what a stage leaves running is ended with it, and Ctrl-C reaches it once.
 * @param {readonly string[]} argv
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, signal: AbortSignal }} options
 * @returns {Promise<number>}
 */
function runInGroup(argv, { cwd, env, signal }) {
  const [program = '', ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const stop = () => {
      signalGroup(child, 'SIGINT')
      timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      signalGroup(child, 'SIGTERM')
      resolve(code ?? 1)
    })
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
