// @ts-check
import { existsSync } from 'node:fs'

const setpriv = '/usr/bin/setpriv'

/**
 * The command line of a program that gets SIGTERM when its parent ends, however that one ends. Where util-linux is missing, as outside Linux, it is
 * the program alone. @param {readonly string[]} argv @returns {readonly string[]}
 */
export function boundToParent(argv) {
  return existsSync(setpriv) ? [setpriv, '--pdeathsig', 'TERM', '--', ...argv] : argv
}
