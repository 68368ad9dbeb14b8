// @ts-check

/** The error of a set-up that cannot continue: which step, what happened, what to do. */
export class SetupFailure extends Error {
  /**
   * @param {string} step the step's name, as its progress line shows it
   * @param {string} problem what happened
   * @param {string} remedy what to do
   * @param {{ tail?: readonly string[], log?: string }} [evidence]
   */
  constructor(step, problem, remedy, evidence = {}) {
    super(`${step}: ${problem}; ${remedy}`)
    this.name = 'SetupFailure'
    /** The last lines of the failed command's output. */
    this.tail = evidence.tail ?? []
    /** The file with all of its output. */
    this.log = evidence.log
  }
}

/** The set-up was stopped. */
export class SetupStopped extends Error {
  constructor() {
    super('the set-up was stopped')
    this.name = 'SetupStopped'
  }
}

const offline =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|Temporary failure|Could not resolve|Unable to connect|Failed to fetch|NewConnectionError|Network is unreachable|dns error|error sending request|Connection refused|No route to host/iu

/** Tell whether the output of a command says that the network does not answer. @param {readonly string[]} tail its last lines */
export function isOffline(tail) {
  return tail.some((line) => offline.test(line))
}

/**
 * Derive what to do from the output of a command.
 * @param {readonly string[]} tail its last lines
 * @param {string} log the file with all of them
 */
export function remedyOf(tail, log) {
  return isOffline(tail)
    ? 'the network did not answer: connect this machine, or set its proxy, and run the same command again (what is done stays done)'
    : `look at ${log}, then run the same command again`
}
