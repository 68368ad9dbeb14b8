// @ts-check
import process from 'node:process'
import {
  failureNotes,
  findMissing,
  findProgram,
  installAdvice,
  installPackages,
  packagesFor,
} from '../debian.mjs'

/** @typedef {import('../setup.mjs').Setup} Setup */
/** @typedef {import('../setup.mjs').Step} Step */

/**
 * Packages of the distribution. For root on Debian they are installed. Everybody else gets one line about them, and everything possible runs without.
 * @type {Step}
 */
export const debianStep = {
  name: 'Debian packages',
  why(setup) {
    const { debian, missing } = findMissing(packagesFor(setup.purpose), setup.env)
    if (missing.length === 0) return null
    if (mayInstall(debian)) return `missing: ${missing.map((each) => each.name).join(', ')}`
    setup.report.note(installAdvice(missing, debian))
    return null
  },
  async run(setup) {
    const { missing } = findMissing(packagesFor(setup.purpose), setup.env)
    for (const each of missing) setup.report.note(`installing ${each.name}: ${each.why}`)
    const log = setup.log('debian')
    const failed = await installPackages(
      missing.map((each) => each.name),
      {
        step: 'Debian packages',
        log,
        signal: setup.signal,
        env: setup.env,
        onLine: (line) => setup.report.detail(line),
      },
    )
    for (const note of failureNotes(failed, log)) setup.report.note(note)
  },
}

/** @param {boolean} debian */
const mayInstall = (debian) => debian && process.getuid?.() === 0 && findProgram('apt-get') !== null
