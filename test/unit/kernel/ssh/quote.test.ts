import { expect, it } from 'vitest'
import { execFileSync } from 'node:child_process'
import { buildCommand, commandOf, quote, type Argument } from '../../../../kernel/src/ssh/quote.ts'

const sh = (strings: TemplateStringsArray, ...values: readonly Argument[]) =>
  buildCommand(strings, values)

it('leaves plain words as they are', () => {
  expect(quote('/usr/bin/env')).toBe('/usr/bin/env')
})

it('makes one argument of whatever is in a value', () => {
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

it('gives each item of a list as an argument of its own', () => {
  expect(sh`ls ${['a b', 'c']}`).toBe("ls 'a b' c")
})

it('keeps text around values for the shell', () => {
  expect(sh`a=${1}; echo $a | wc ${true}`).toBe('a=1; echo $a | wc true')
})

it('refuses what is no argument', () => {
  for (const value of [undefined, null, {}, Number.NaN, () => 1])
    expect(() => sh`echo ${value as string}`).toThrow(/value 1 of the command/u)
  expect(() => quote('a\0b')).toThrow(/NUL/u)
})

it('quotes every word of an argument vector and nothing of a command line', () => {
  expect(commandOf(['echo', '$HOME'])).toBe("echo '$HOME'")
  expect(commandOf('echo $HOME')).toBe('echo $HOME')
})
