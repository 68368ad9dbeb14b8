// @ts-check

/** The oldest versions that the set-up works with. */
export const oldest = { node: '20.0.0', npm: '10.0.0', python: '3.10.0' }
/** The oldest Node that everything after the set-up runs on, where npm brings none for the platform. */
export const oldestRuntime = '22.18.0'

/**
 * Read a version out of what a program says of itself (`v24.1.0`, `npm/11.19.1 node/…`, `Python 3.11.2`).
 * @param {string} text
 * @returns {readonly [number, number, number] | null}
 */
function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/u.exec(text)
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null
}

/**
 * Tell whether a version is at least another. One that cannot be read is not.
 * @param {string} found @param {string} wanted
 */
export function isAtLeast(found, wanted) {
  const a = parseVersion(found)
  const b = parseVersion(wanted)
  if (a === null || b === null) return false
  for (const i of /** @type {const} */ ([0, 1, 2])) if (a[i] !== b[i]) return a[i] > b[i]
  return true
}

/**
 * What to say of a Node that is too old; null when it will do.
 * @param {string} version as `process.version` has it
 */
export function nodeComplaint(version) {
  if (isAtLeast(version, oldest.node)) return null
  return `this is Node.js ${version}; the set-up needs 20 or newer (it then brings Node.js 24 by itself). Install one from https://nodejs.org or your distribution, and run the same command again`
}

/** What to say of an npm that is too old; null when it will do. @param {string} version */
export function npmComplaint(version) {
  if (isAtLeast(version, oldest.npm)) return null
  return `this is npm ${version}; the set-up needs 10 or newer: \`npm install --global npm@11\`, then run the same command again`
}
