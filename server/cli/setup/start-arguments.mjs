// @ts-check
import { readFileSync } from 'node:fs'

/** @typedef {{ flags: string, description: string, value?: string }} StartOption */

/** The options of the start. The command line reads the same list. @type {readonly StartOption[]} */
const startOptions = JSON.parse(
  readFileSync(new URL('./start-options.json', import.meta.url), 'utf8'),
)

/** Return the text that `npm start -- --help` prints. It needs no result of the set-up. */
export function startHelp() {
  const rows = [...startOptions, { flags: '-h, --help', description: 'this text' }].map((each) => {
    const byDefault = 'value' in each && each.value !== undefined ? ` (default: ${each.value})` : ''
    return `  ${each.flags.padEnd(24)}${each.description}${byDefault}`
  })
  return `Usage: npm start -- [options]

Set up this checkout, start a virtual testbed and JupyterLab on it, and keep both until Ctrl-C.

Options:
${rows.join('\n')}
`
}

/**
 * Read the arguments before the set-up, so that a wrong one is reported within a second.
 * @param {readonly string[]} args
 * @returns {{ kind: 'start' } | { kind: 'help' } | { kind: 'wrong', problem: string }}
 */
export function readStartArguments(args) {
  const known = new Map(
    startOptions.map(({ flags }) => [flags.split(' ')[0] ?? '', flags.includes('<')]),
  )
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? ''
    if (arg === '--help' || arg === '-h') return { kind: 'help' }
    const [name = '', given] = arg.split(/=(.*)/su)
    const takesValue = known.get(name)
    if (takesValue === undefined)
      return { kind: 'wrong', problem: `${arg} is not an option of npm start` }
    if (!takesValue && given !== undefined)
      return { kind: 'wrong', problem: `${name} takes no value` }
    if (takesValue && given === undefined) {
      index += 1
      const value = args[index]
      if (value === undefined || value.startsWith('--'))
        return { kind: 'wrong', problem: `${name} needs a value` }
    }
  }
  return { kind: 'start' }
}
