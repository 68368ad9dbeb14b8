import { LabError } from '@community-lab/contract'
import {
  checkArgument,
  describeFound,
  programArgument,
  someOf,
  text,
  words,
  type Kind,
} from '../argument.ts'
import { placeAtEnd, type ShellPlace } from './shell-place.ts'

/** A value of a command. Each becomes exactly one argument; each item of an array becomes one. */
export type Argument =
  string | number | bigint | boolean | readonly (string | number | bigint | boolean)[]

/**
 * Quote a text so that a POSIX shell takes it as one word, whatever its characters.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a NUL character and for a lone surrogate, which has no form in UTF-8.
 */
export function quote(text: string): string {
  const isWhole = text.isWellFormed()
  if (text.includes('\0') || !isWhole)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'an argument of a command',
      found: isWhole ? 'a text with a NUL character' : describeFound(text),
      expected: 'text without one; send bytes with upload() or as input',
    })
  return /^[A-Za-z0-9_/:=.,@%+-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Quote a path of a sliver. As in a shell, `~` at its beginning is the user's home. */
export function quotePath(path: string): string {
  checkArgument('a path of a sliver', path, words)
  return /^~(?=\/|$)/u.test(path) ? `"$HOME"${quote(path.slice(1) || '/')}` : quote(path)
}

/**
 * Build the command of a tagged template: its text is for the shell of the sliver; its values become quoted arguments. A text is refused in a place where the
 * shell would take its quotes for text, for example inside of quotes.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a value that cannot be an argument, or that is in a place where it would not be one; it says what to write.
 */
export function buildCommand(strings: readonly string[], values: readonly Argument[]): string {
  let command = ''
  // The command with a plain word in place of each value.
  let outline = ''
  for (const [index, text] of strings.entries()) {
    if (index > 0) {
      const value: unknown = values[index - 1]
      command += quoteValue(value, `value ${index} of the command`)
      if (isQuoted(value)) requireCode(placeAtEnd(outline), index)
      outline += 'x'
    }
    command += text
    outline += text
  }
  return command
}

/** Numbers and booleans are not quoted: they mean the same everywhere. */
function isQuoted(value: unknown): boolean {
  return Array.isArray(value) || typeof value === 'string'
}

/** Return the command of a list of arguments, or a command line as it is. @throws {@link LabError} LAB_ARGUMENT_INVALID for anything else. */
export function commandOf(command: string | readonly string[]): string {
  checkArgument('the command', command, commandKind)
  return typeof command === 'string' ? command : command.map(quote).join(' ')
}

const commandKind: Kind = {
  expected: 'a text that is not empty, or a list of texts, its program first',
  is: (value) => (typeof value === 'string' ? value.trim() !== '' : someOf(text).is(value)),
}

function quoteValue(value: unknown, argument: string): string {
  if (Array.isArray(value)) return value.map((item) => quoteValue(item, argument)).join(' ')
  checkArgument(argument, value, programArgument)
  return quote(String(value))
}

/** Refuse a text in a place where the shell would not take it for one argument. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
function requireCode(place: ShellPlace, index: number): void {
  if (place === 'code') return
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: `value ${index} of the command`,
    found: `in ${place === 'an escape' ? 'an escape, after a backslash' : place}`,
    expected: advice[place],
  })
}

const wholeArgument = "it outside of quotes, as one argument: echo ${'Hello ' + name}"

const advice: Readonly<Record<Exclude<ShellPlace, 'code'>, string>> = {
  'single quotes': wholeArgument,
  'double quotes': wholeArgument,
  'an escape': 'no backslash before it; a value is quoted by itself',
  backticks: 'it in $(…) in place of backticks, in which quotes mean something else',
  'a here-document':
    'the text as input of the command: sh({ input: text })`cat > file`, or a file by upload()',
  'a comment': 'it outside of comments; take it out',
  'a variable’s name':
    'the name itself, or the value as a variable: sh({ env: { NAME: value } })`echo "$NAME"`',
}
