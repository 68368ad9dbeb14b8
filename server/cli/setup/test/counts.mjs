// @ts-check

/**
 * @typedef {object} Counts the results of tests
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {readonly string[]} failures the names of failed tests
 * @property {readonly string[]} leftOut the names of skipped tests
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

/** Return the counts of a stage that is a single test, or that crashed. @param {string} name @param {boolean} passed @returns {Counts} */
export function oneTest(name, passed) {
  return passed ? { ...noCounts, passed: 1 } : { ...noCounts, failed: 1, failures: [name] }
}

/**
 * Return the counts of a stage from the result of its reporter and the exit code of its process. A stage that exits with an error although no test failed has
 * crashed, and so has one without a result. A crash counts as a failure, never as a success.
 * @param {string} name @param {Counts | null} reported @param {number} code @returns {Counts}
 */
export function judgeStage(name, reported, code) {
  if (reported === null)
    return oneTest(`${name}: ended without a report (exit code ${code})`, false)
  if (code === 0 || reported.failed > 0) return reported
  return addCounts(reported, oneTest(`${name}: ended with exit code ${code}`, false))
}

/** Return the last line. @param {Counts} counts */
export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}

/** Return the exit code. A run without any test is not a success. @param {Counts} counts */
export function exitCodeOf({ passed, failed }) {
  return failed === 0 && passed > 0 ? 0 : 1
}
