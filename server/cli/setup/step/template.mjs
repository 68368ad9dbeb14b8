// @ts-check
import process from 'node:process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runCommand } from '../command.mjs'
import { findProgram } from '../debian.mjs'
import { nodeOf } from '../node.mjs'
import { contentHash, isStamped, removeStamp, writeStamp } from '../stamp.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */

const source = 'server/cli/setup/tiny-template.mjs'
const ingredients = ['busybox', 'dropbear', 'ping', 'fping', 'iperf3', 'perl', 'traceroute']

/** Builds the root file system of slivers from Debian's packages. @type {import('../setup.mjs').Step} */
export const templateStep = {
  name: 'sliver template "tiny"',
  why(setup) {
    const missing = ingredients.filter((program) => findProgram(program) === null)
    if (missing.length > 0) {
      setup.report.note(`the sliver template is not built, for want of ${missing.join(', ')}`)
      return null
    }
    if (!existsSync(join(folderOf(setup), 'tiny.tar.gz'))) return 'it is not there'
    return isStamped(setup.stamp('template'), inputs(setup))
      ? null
      : 'its recipe or the processor has changed'
  },
  async run(setup) {
    const { root, env, signal, report, log, stamp } = setup
    const folder = folderOf(setup)
    const half = join(folder, 'unfinished')
    removeStamp(stamp('template'))
    rmSync(half, { recursive: true, force: true })
    mkdirSync(half, { recursive: true })
    try {
      // It runs in its own process, so that it can be stopped at any time.
      const code = `const { buildTinyTemplate } = await import(${JSON.stringify(pathToFileURL(join(root, source)).href)}); await buildTinyTemplate(${JSON.stringify(half)})`
      await runCommand([nodeOf(root), '--input-type=module', '--eval', code], {
        step: 'sliver template "tiny"',
        cwd: root,
        env,
        signal,
        log: log('template'),
        onLine: (line) => report.detail(line),
      })
      for (const name of readdirSync(half)) renameSync(join(half, name), join(folder, name))
    } finally {
      rmSync(half, { recursive: true, force: true })
    }
    writeStamp(stamp('template'), inputs(setup))
  },
}

/** @param {Setup} setup */
const folderOf = ({ home }) => join(home, 'templates')

/** @param {Setup} setup */
const inputs = (setup) => ({
  folder: folderOf(setup),
  recipe: contentHash(join(setup.root, source)),
  // The template contains programs of this machine's architecture.
  processor: process.arch,
})
