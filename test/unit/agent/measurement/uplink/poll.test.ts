import type { Look } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createPolls } from '../../../../../agent/src/measurement/uplink/poll.ts'

const has = { target: '"1"', report: null }
const seen = { type: 'seen', target: true, report: false } as const

it('gives the answer to a poll, and polls again after it', async () => {
  const sent: Look[] = []
  const polls = createPolls((look) => void sent.push(look))
  for (let count = 1; count <= 2; count++) {
    const answer = polls.now(has)
    polls.settle(seen)
    expect(await answer).toEqual(seen)
    expect(sent).toEqual(Array(count).fill({ type: 'look', ...has }))
  }
})

it('sends no second look before the first is answered, and takes no late answer for that to another', async () => {
  const sent: Look[] = []
  const polls = createPolls((look) => void sent.push(look))
  const first = polls.now(has)
  expect(await polls.now({ ...has, target: '"2"' })).toBeNull()
  polls.settle(seen)
  expect([await first, sent.length]).toEqual([seen, 1])
})

it('ends without an answer when the connection does', async () => {
  const polls = createPolls(() => undefined)
  const answer = polls.now(has)
  polls.settle(null)
  expect(await answer).toBeNull()
})
