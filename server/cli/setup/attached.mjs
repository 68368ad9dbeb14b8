// @ts-check
import process from 'node:process'
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { boundToParent } from './bound.mjs'
import { watchParents } from './parents.mjs'

/**
 * Run a program at this terminal to its end, and pass on what asks this process to stop; the program decides how it ends. It may get the same
 * signal twice (from the terminal, and from here). When npm, or whatever started this process, has ended, the program is asked to end too: npm passes
 * on no SIGHUP, and a shell between keeps SIGTERM to itself. The program does not outlive this process.
 * @param {readonly string[]} argv
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code; 128 and the signal's number when one killed it
 */
export function runAttached(argv, { cwd, env }) {
  const [program = '', ...rest] = boundToParent(argv)
  return new Promise((resolve, reject) => {
    /** @type {import('node:child_process').ChildProcess | null} */
    let child = null
    // The look comes before the program starts: who hears the program may end npm at once.
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
