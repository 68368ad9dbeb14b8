import { LabError } from '@community-lab/contract'
import { describeFound } from '../argument.ts'
import { quote, quotePath } from './quote.ts'

/** The folder and the environment of a command. */
export interface CommandPlace {
  /** The current folder of the command; default: the home of root. */
  readonly cwd?: string
  /** Variables to add to its environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** The most bytes of a command. Source: dropbear, sysoptions.h, MAX_CMD_LEN; some bytes are left for what is added before a command. */
const maxLineBytes = 8_900

/**
 * Return the line of shell that runs a command in its folder and with its environment. The command does not run if the folder does not exist.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID.
 */
export function shellLine(command: string, { cwd, env = {} }: CommandPlace = {}): string {
  const enter = cwd === undefined ? [] : [`cd -- ${quotePath(cwd)} || exit`]
  const lines = [...enter, exportLines(env) + command].join('\n')
  // SSH servers run `sh -c LINE`. A shell takes a line that begins with one of these as options.
  const line = /^[-+]/u.test(lines) ? ` ${lines}` : lines
  const length = Buffer.byteLength(line)
  if (length > maxLineBytes)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'the command',
      found: `${length} bytes long`,
      expected: `at most ${maxLineBytes}, which is what SSH servers take; upload it as a file and run that, or give what is long as input`,
    })
  const isWhole = line.isWellFormed()
  if (line.includes('\0') || !isWhole)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'the command',
      found: isWhole ? 'a text with a NUL character' : describeFound(line),
      expected: 'text without one',
    })
  return line
}

/** Return the lines of shell that add variables to the environment. @throws {@link LabError} LAB_ARGUMENT_INVALID for an invalid name. */
export function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${variable(name)}=${quote(value)}\n`)
    .join('')
}

function variable(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/u.test(name)) return name
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: "an environment variable's name",
    found: JSON.stringify(name),
    expected: 'letters, digits and underscores, not beginning with a digit',
  })
}
