import { messageOf } from '@community-lab/contract'
import { expect, it } from 'vitest'

it('is the message of an error, and the text of anything else that was thrown', () => {
  expect(messageOf(new TypeError('no list'))).toBe('no list')
  expect(messageOf('no list')).toBe('no list')
  expect(messageOf(null)).toBe('null')
})
