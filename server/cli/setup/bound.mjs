// @ts-check
import { existsSync } from 'node:fs'

const setpriv = '/usr/bin/setpriv'

/**
 * Return the command line of a program that gets SIGTERM when its parent ends in any way. Without util-linux, as outside of Linux, this is
 * the program alone. @param {readonly string[]} argv @returns {readonly string[]}
 */
export function boundToParent(argv) {
  return existsSync(setpriv) ? [setpriv, '--pdeathsig', 'TERM', '--', ...argv] : argv
}
