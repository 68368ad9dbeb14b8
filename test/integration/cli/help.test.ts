import { afterEach, beforeEach, expect, it } from 'vitest'
import { makePlace, type Place } from './world/place.ts'

let place: Place

beforeEach(async () => {
  place = await makePlace()
})
afterEach(() => place[Symbol.asyncDispose]())

it.each([['start'], ['run'], ['vct', 'up'], ['node', 'revoke'], ['template', 'add'], ['doctor']])(
  'helps with %s %s',
  async (...words) => {
    const { code, out } = await place.run([...words, '--help'])
    expect(code).toBe(0)
    expect(out).toContain('--json')
  },
)

it.each([
  ['node', 'stop'],
  ['link', 'cut'],
  ['server', 'stop'],
])('says with vct %s --help what can be done', async (what, action) => {
  const { out } = await place.run(['vct', what, '--help'])
  expect(out).toContain(action)
})
