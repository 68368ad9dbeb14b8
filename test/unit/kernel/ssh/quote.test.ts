import { expect, it } from 'vitest'
import { execFileSync } from 'node:child_process'
import { buildCommand, commandOf, quote, type Argument } from '../../../../kernel/src/ssh/quote.ts'

const sh = (strings: TemplateStringsArray, ...values: readonly Argument[]) =>
  buildCommand(strings, values)

it('leaves plain words as they are', () => {
  expect(quote('/usr/bin/env')).toBe('/usr/bin/env')
})

it('makes one argument of any value', () => {
  for (const value of [
    '',
    ' ',
    `a b'c"d $HOME; echo \`id\` *`,
    'line\nline',
    '-n',
    '\\',
    '!#~{a,b}',
    'ü☃',
  ])
    expect(execFileSync('sh', ['-c', sh`printf %s ${value}`], { encoding: 'utf8' })).toBe(value)
})

it('makes one argument of each item of a list', () => {
  expect(sh`ls ${['a b', 'c']}`).toBe("ls 'a b' c")
})

it('keeps the text around values for the shell', () => {
  expect(sh`a=${1}; echo $a | wc ${true}`).toBe('a=1; echo $a | wc true')
})

it('refuses values that cannot be arguments', () => {
  for (const value of [undefined, null, {}, Number.NaN, () => 1])
    expect(() => sh`echo ${value as string}`).toThrow(/value 1 of the command/u)
  expect(() => quote('a\0b')).toThrow(/NUL/u)
})

it('quotes every word of a list of arguments and nothing of a command line', () => {
  expect(commandOf(['echo', '$HOME'])).toBe("echo '$HOME'")
  expect(commandOf('echo $HOME')).toBe('echo $HOME')
})
