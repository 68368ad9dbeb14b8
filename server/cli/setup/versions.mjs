// @ts-check

/** The oldest versions with which the set-up works. */
export const oldest = { node: '20.0.0', npm: '10.0.0', python: '3.10.0' }
/** The oldest Node for everything after the set-up, on platforms for which npm has no Node. */
export const oldestRuntime = '22.18.0'

/**
 * Read a version from the output of a program (`v24.1.0`, `npm/11.19.1 node/…`, `Python 3.11.2`).
 * @param {string} text
 * @returns {readonly [number, number, number] | null}
 */
function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/u.exec(text)
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null
}

/**
 * Tell whether a version is at least another one. A version that cannot be read is not.
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
 * Return the message about a Node that is too old; null when it is new enough.
 * @param {string} version as in `process.version`
 */
export function nodeComplaint(version) {
  if (isAtLeast(version, oldest.node)) return null
  return `this is Node.js ${version}; the set-up needs 20 or newer (it then brings Node.js 24 by itself). Install one from https://nodejs.org or your distribution, and run the same command again`
}

/** Return the message about an npm that is too old; null when it is new enough. @param {string} version */
export function npmComplaint(version) {
  if (isAtLeast(version, oldest.npm)) return null
  return `this is npm ${version}; the set-up needs 10 or newer: \`npm install --global npm@11\`, then run the same command again`
}
