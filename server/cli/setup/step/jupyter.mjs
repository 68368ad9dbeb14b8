// @ts-check
import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { runCommand } from '../command.mjs'
import { nodeOf } from '../node.mjs'
import { fingerprintOf, isStamped, writeStamp } from '../stamp.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */
/** @typedef {import('../setup.mjs').Step} Step */

const kernelFile = '.venv/share/jupyter/kernels/communitylab/kernel.json'

/** Registers the kernel "TypeScript (Community-Lab)" with Jupyter. @type {Step} */
export const kernelStep = {
  name: 'kernel in Jupyter',
  why(setup) {
    if (!existsSync(join(setup.root, kernelFile))) return 'it is not there'
    return isStamped(setup.stamp('kernel'), inputs(setup)) ? null : 'it has changed'
  },
  async run(setup) {
    const { root, env, signal, log, stamp } = setup
    const install = join(root, 'kernel', 'dist', 'jupyter', 'install.js')
    await runCommand([nodeOf(root), install, join(root, '.venv', 'share', 'jupyter', 'kernels')], {
      step: 'kernel in Jupyter',
      cwd: root,
      env,
      signal,
      log: log('kernel'),
    })
    writeStamp(stamp('kernel'), inputs(setup))
  },
}

/** @param {Setup} setup */
const inputs = ({ root }) => ({
  root,
  sources: fingerprintOf(root, [
    'kernel/src/jupyter/install.ts',
    'kernel/src/jupyter/identity.ts',
    'kernel/src/jupyter/logo',
  ]),
})

/** Registers the panel with JupyterLab by a link, so that a new build is used when the page is loaded again. @type {Step} */
export const panelStep = {
  name: 'panel in JupyterLab',
  why: ({ root }) => (isLinked(panelPlaces(root)) ? null : 'it is not there'),
  async run({ root }) {
    const { link, target } = panelPlaces(root)
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { recursive: true, force: true })
    symlinkSync(target, link)
  },
}

/** @param {string} root */
function panelPlaces(root) {
  const link = join(root, '.venv/share/jupyter/labextensions/@community-lab/jupyterlab')
  return { link, target: relative(dirname(link), join(root, 'extension', 'labextension')) }
}

/** @param {{ link: string, target: string }} places */
function isLinked({ link, target }) {
  const stat = lstatSync(link, { throwIfNoEntry: false })
  return stat?.isSymbolicLink() === true && readlinkSync(link) === target
}
