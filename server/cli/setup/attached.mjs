// @ts-check
import process from 'node:process'
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { boundToParent } from './bound.mjs'
import { watchParents } from './parents.mjs'

/**
 * Run a program at this terminal, pass the signals that stop this process on to it, and wait for its end; the program decides how it ends. It may get the same
 * signal twice (from the terminal, and from here). When npm, or another process that started this one, has ended, the program is asked to end, too, because npm
 * does not pass SIGHUP on, and a shell between does not pass SIGTERM on. The program does not outlive this process.
 * @param {readonly string[]} argv
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code; 128 plus the number of the signal that killed it
 */
export function runAttached(argv, { cwd, env }) {
  const [program = '', ...rest] = boundToParent(argv)
  return new Promise((resolve, reject) => {
    /** @type {import('node:child_process').ChildProcess | null} */
    let child = null
    // The watch begins before the start of the program, because a reader of the program's output may end npm at once.
    const forgetParents = watchParents(() => child?.kill('SIGTERM'))
    child = spawn(program, rest, { cwd, env, stdio: 'inherit' })
    const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
    const listeners = signals.map((each) => {
      const pass = () => child?.kill(each)
      process.on(each, pass)
      return () => process.off(each, pass)
    })
    listeners.push(forgetParents)
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      for (const forget of listeners) forget()
      resolve(code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]))
    })
  })
}
