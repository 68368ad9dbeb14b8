import { expect, it } from 'vitest'
import { boundErrors, boundSentence } from '../../../../agent/src/report/bounds.ts'

it('takes out of a sentence what a server stores nowhere: NUL and half surrogate pairs', () => {
  expect(boundSentence('exec \0 failed \uD83D!')).toBe('exec \uFFFD failed \uFFFD!')
})

it('shortens a sentence without cutting a character in two', () => {
  const bounded = boundSentence('x'.repeat(998) + '😀'.repeat(10))
  expect(bounded).toBe(`${'x'.repeat(998)}…`)
  expect(bounded.isWellFormed()).toBe(true)
})

it('counts the errors that are left out', () => {
  const errors = Array.from({ length: 5 }, (_, index) => ({ member: '', message: `${index}` }))
  expect(boundErrors(errors, 3).map(({ message }) => message)).toEqual([
    '0',
    '1',
    "3 more errors are in the log of the node's agent",
  ])
})
