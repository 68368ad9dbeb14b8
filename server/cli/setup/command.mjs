// @ts-check
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { boundToParent } from './bound.mjs'
import { SetupFailure, SetupStopped, remedyOf } from './failure.mjs'

/** The most time for a command to stop before it is killed, in milliseconds. */
const graceMs = 5_000
const tailLines = 15

/**
 * @typedef {object} CommandOptions
 * @property {string} step the step to which the command belongs
 * @property {string} log the file for all its output
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {AbortSignal} signal stops the command and everything that it has started
 * @property {boolean} [untouchable] the command is never killed, because half of its work would do harm (dpkg); a stop asks it to end and waits for it
 * @property {(line: string) => void} [onLine]
 */

/**
 * Run a command of a step, with its output in a log file, and wait for its end.
 * The command has its own process group: Ctrl-C reaches only the set-up, which then stops the whole group.
 * @param {readonly string[]} argv
 * @param {CommandOptions} options
 * @returns {Promise<void>} settles when the command has succeeded; rejects with SetupFailure, or with SetupStopped when it was stopped
 */
export async function runCommand(argv, options) {
  const result = await tryCommand(argv, options)
  if (result.code === 0) return
  const what = result.error ?? `\`${argv.join(' ')}\` ended with ${result.code ?? result.killedBy}`
  throw new SetupFailure(options.step, what, remedyOf(result.tail, options.log), {
    tail: result.tail,
    log: options.log,
  })
}

/**
 * Run a command and return how it ended. Rejects only with SetupStopped.
 * @param {readonly string[]} argv
 * @param {CommandOptions} options
 * @returns {Promise<{ code: number | null, killedBy: string | null, error: string | null, tail: string[] }>}
 */
export async function tryCommand(argv, options) {
  const { signal } = options
  if (signal.aborted) throw new SetupStopped()
  mkdirSync(dirname(options.log), { recursive: true })
  const log = createWriteStream(options.log, { flags: 'a' })
  log.write(`$ ${argv.join(' ')}\n`)
  /** @type {string[]} */
  const tail = []
  const result = await new Promise((resolve) => {
    // An untouchable command finishes its work even when the set-up is killed.
    const [program = '', ...rest] = options.untouchable === true ? argv : boundToParent(argv)
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const stop = () => stopGroup(child, options.untouchable === true)
    signal.addEventListener('abort', stop, { once: true })
    for (const stream of [child.stdout, child.stderr])
      readLines(stream, (line) => {
        log.write(line + '\n')
        if (line.trim() === '') return
        tail.push(line)
        if (tail.length > tailLines) tail.shift()
        options.onLine?.(line)
      })
    /** @param {number | null} code @param {string | null} killedBy @param {string | null} error */
    const end = (code, killedBy, error) => {
      signal.removeEventListener('abort', stop)
      resolve({ code, killedBy, error, tail })
    }
    child.on('error', (error) => end(null, null, `cannot start ${program} (${error.message})`))
    child.on('close', (code, killedBy) => end(code, killedBy, null))
  })
  await new Promise((resolve) => log.end(resolve))
  if (signal.aborted) throw new SetupStopped()
  return result
}

/** @param {import('node:child_process').ChildProcess} child @param {boolean} untouchable */
function stopGroup(child, untouchable) {
  const { pid } = child
  if (pid === undefined) return
  if (untouchable) {
    child.kill('SIGINT')
    return
  }
  killGroup(pid, 'SIGTERM')
  const timer = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs)
  child.on('close', () => clearTimeout(timer))
}

/** @param {number} pid @param {NodeJS.Signals} how */
function killGroup(pid, how) {
  try {
    process.kill(-pid, how)
  } catch (error) {
    // ESRCH: the process has ended already.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

/** @param {import('node:stream').Readable} stream @param {(line: string) => void} onLine */
function readLines(stream, onLine) {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (/** @type {string} */ text) => {
    const lines = (rest + text).split(/\r\n|[\r\n]/u)
    rest = lines.pop() ?? ''
    lines.forEach(onLine)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(rest)
  })
}
