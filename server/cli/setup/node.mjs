// @ts-check
import process from 'node:process'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { SetupFailure } from './failure.mjs'
import { isAtLeast, oldestRuntime } from './versions.mjs'

/**
 * Return the Node.js for everything after the set-up: the one from npm, or otherwise the one that runs this if it is new enough.
 * @param {string} root the checkout
 * @returns {string}
 */
export function nodeOf(root) {
  const own = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(own) && runs(own)) return own
  if (isAtLeast(process.version, oldestRuntime)) return process.execPath
  throw new SetupFailure(
    'Node.js',
    `npm brings no Node.js 24 for ${process.platform} on ${process.arch}, and this one is ${process.version}`,
    `install Node.js ${oldestRuntime} or newer, and run the same command again`,
  )
}

/** Return an environment in which that Node.js is found first. @param {string} root @param {NodeJS.ProcessEnv} env */
export function withOwnBin(root, env) {
  const bin = join(root, 'node_modules', '.bin')
  const rest = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== bin)
  return { ...env, PATH: [bin, ...rest].join(delimiter) }
}

/** @param {string} program */
function runs(program) {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    // It is for another C library or processor. The Node.js that runs this is tried next.
    return false
  }
}
