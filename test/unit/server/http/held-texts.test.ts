import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { createHeldTexts } from '../../../../server/src/http/held-texts.ts'

/** A response whose reader is slow. */
class Response extends EventEmitter {
  closed = false
  setTimeout = (): this => this
}

it('texts of slow readers have a bound in bytes, and short ones are not counted', () => {
  const { hold } = createHeldTexts(1_000_000)
  const responses = [1, 2, 3].map(() => new Response())
  const [first, second, third] = responses as unknown as ServerResponse[]
  if (!first || !second || !third) throw new Error('no responses')
  expect(hold(first, 600_000)).toBe(true)
  expect(hold(second, 600_000)).toBe(false)
  expect(hold(second, 400_000)).toBe(true)
  expect(hold(third, 65_536)).toBe(true)
  expect(hold(third, 65_537)).toBe(false)
  responses.push(Object.assign(new Response(), { closed: true }))
  expect(hold(responses.at(-1) as unknown as ServerResponse, 600_000)).toBe(true)
  first.emit('close')
  expect(hold(third, 600_000)).toBe(true)
})
