// @ts-check
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../command.mjs'
import { nodeOf } from '../node.mjs'
import { bundleOf, cellCompiler, cellTypes, commandsFile, programs } from '../programs.mjs'
import { fingerprintOf, isStamped, removeStamp, writeStamp } from '../stamp.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */
/** @typedef {import('../setup.mjs').Step} Step */

/** The TypeScript projects to build, each with a file that its build creates. */
export const projects = [
  { folder: 'server/contract', made: 'dist/index.js' },
  { folder: 'server/contract/host', made: 'dist/index.js' },
  { folder: 'server/contract/files', made: 'dist/index.js' },
  { folder: 'server', made: 'dist/main.js' },
  { folder: 'server/vct', made: 'dist/main.js' },
  { folder: 'server/cli', made: 'dist/main.js' },
  { folder: 'agent', made: 'dist/main.js' },
  { folder: 'kernel', made: 'dist/jupyter/main.js' },
]
const bundles = [...[...programs, cellCompiler].map(bundleOf), cellTypes, commandsFile].map(
  (made) => ({
    folder: '.',
    made,
  }),
)
const shared = ['tsconfig.base.json', 'package-lock.json']
const bundler = 'server/cli/setup/bundle.mjs'
const bundlers = [bundler, 'server/cli/setup/bundle-types.mjs', 'server/cli/setup/programs.mjs']
const sourcesOf = (/** @type {string} */ folder) =>
  ['src', 'tsconfig.json', 'package.json'].map((name) => `${folder}/${name}`)

/** Compiles the TypeScript projects, and bundles each program that the testbed starts into one file. @type {Step} */
export const buildStep = {
  name: 'build',
  why: (setup) => whyBuild(setup, 'build', inputs(setup), [...projects, ...bundles]),
  async run(setup) {
    const { root, signal, report, stamp, log, env } = setup
    const made = inputs(setup)
    removeStamp(stamp('build'))
    const compile = [nodeOf(root), join(root, 'node_modules/typescript-7/bin/tsc'), '--build']
    // The compiler trusts its record of what it has built. When a result is missing, only --force builds it again.
    if (projects.some((each) => !isMade(root, each))) compile.push('--force')
    await runCommand([...compile, ...projects.map((each) => each.folder)], {
      step: 'build',
      cwd: root,
      env,
      signal,
      log: log('build'),
      onLine: (line) => report.detail(line),
    })
    await runCommand([nodeOf(root), join(root, bundler)], {
      step: 'build',
      cwd: root,
      env,
      signal,
      log: log('build'),
      onLine: (line) => report.detail(line),
    })
    writeStamp(stamp('build'), made)
  },
}

const panel = { folder: 'extension', made: 'labextension/package.json' }

/** Compiles and bundles JupyterLab's panel. @type {Step} */
export const extensionStep = {
  name: "build of JupyterLab's panel",
  why: (setup) => whyBuild(setup, 'extension', panelInputs(setup), [panel]),
  async run(setup) {
    const { root, signal, report, stamp, log, env } = setup
    const made = panelInputs(setup)
    removeStamp(stamp('extension'))
    await runCommand(['npm', 'run', 'build', '--workspace', 'extension'], {
      step: "build of JupyterLab's panel",
      cwd: root,
      env: { ...env, PATH: `${join(root, 'node_modules', '.bin')}:${env['PATH'] ?? ''}` },
      signal,
      log: log('extension'),
      onLine: (line) => report.detail(line),
    })
    writeStamp(stamp('extension'), made)
  },
}

/**
 * @param {Setup} setup @param {string} name @param {Readonly<Record<string, string>>} wanted
 * @param {readonly { folder: string, made: string }[]} parts
 */
function whyBuild({ root, stamp }, name, wanted, parts) {
  const gone = parts.find((each) => !isMade(root, each))
  if (gone !== undefined) return `${gone.folder}/${gone.made} is not there`
  return isStamped(stamp(name), wanted) ? null : 'its sources have changed'
}

/** @param {string} root @param {{ folder: string, made: string }} part */
const isMade = (root, { folder, made }) => existsSync(join(root, folder, made))

/** @param {Setup} setup */
const inputs = ({ root }) => ({
  sources: fingerprintOf(root, [
    ...shared,
    ...bundlers,
    ...projects.flatMap((each) => sourcesOf(each.folder)),
  ]),
})

/** @param {Setup} setup */
const panelInputs = ({ root }) => ({
  sources: fingerprintOf(root, [
    ...shared,
    ...sourcesOf('extension'),
    'extension/schema',
    'extension/style',
    ...sourcesOf('server/contract'),
  ]),
})
