import { LabError } from '@community-lab/contract'

/** What may stand in a command: each becomes exactly one argument, each item of an array one of its own. */
export type Argument = string | number | bigint | boolean | readonly (string | number)[]

/** Quote a text so that a POSIX shell takes it as one word, whatever is in it. @throws {@link LabError} LAB_ARGUMENT_INVALID for a NUL. */
export function quote(text: string): string {
  if (text.includes('\0'))
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'an argument of a command',
      found: 'a text with a NUL character',
      expected: 'text without one; send bytes with upload() or as input',
    })
  return /^[A-Za-z0-9_/:=.,@%+-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * The command of a tagged template: its text is for the sliver's shell as it is written, its values are arguments, quoted. Do not put quotes around a
 * value: they are there already.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a value that is no argument.
 */
export function buildCommand(strings: readonly string[], values: readonly Argument[]): string {
  return strings.reduce((command, text, index) => {
    const value: unknown = values[index - 1]
    return `${command}${quoteValue(value, index)}${text}`
  })
}

/** The command of an argument vector, or a command as it is. */
export function commandOf(command: string | readonly string[]): string {
  return typeof command === 'string' ? command : command.map(quote).join(' ')
}

function quoteValue(value: unknown, index: number): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number' && Number.isFinite(value)) return quote(String(value))
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.map((item: unknown) => quoteValue(item, index)).join(' ')
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: `value ${index} of the command`,
    found: value === null ? 'null' : typeof value,
    expected: 'a text, number or boolean, or a list of these',
  })
}
