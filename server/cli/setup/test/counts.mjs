// @ts-check

/**
 * @typedef {object} Counts what came of tests
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {readonly string[]} failures names of what failed
 * @property {readonly string[]} leftOut names of what was skipped
 */

/** @type {Counts} */
export const noCounts = { passed: 0, failed: 0, skipped: 0, failures: [], leftOut: [] }

/** @param {Counts} a @param {Counts} b @returns {Counts} */
export function addCounts(a, b) {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    failures: [...a.failures, ...b.failures],
    leftOut: [...a.leftOut, ...b.leftOut],
  }
}

/** A stage that is one test by itself, or that crashed. @param {string} name @param {boolean} passed @returns {Counts} */
export function oneTest(name, passed) {
  return passed ? { ...noCounts, passed: 1 } : { ...noCounts, failed: 1, failures: [name] }
}

/**
 * What a stage of tests came to, from what its reporter wrote and how its process ended. One that ended badly although no test failed has
 * crashed, and so has one that wrote nothing: that counts as a failure, never as a success.
 * @param {string} name @param {Counts | null} reported @param {number} code @returns {Counts}
 */
export function judgeStage(name, reported, code) {
  if (reported === null)
    return oneTest(`${name}: ended without a report (exit code ${code})`, false)
  if (code === 0 || reported.failed > 0) return reported
  return addCounts(reported, oneTest(`${name}: ended with exit code ${code}`, false))
}

/** The last line. @param {Counts} counts */
export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}

/** No test at all is no success. @param {Counts} counts */
export function exitCodeOf({ passed, failed }) {
  return failed === 0 && passed > 0 ? 0 : 1
}
