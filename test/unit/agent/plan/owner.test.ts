import { nodeSetStates } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import {
  describeOwner,
  holdByOwner,
  ownerStates,
  type OwnerSetting,
} from '../../../../agent/src/plan/owner.ts'
import { aCurrent, aStatus, aTarget, planFor } from './situation.ts'

const set = (state: OwnerSetting['state'], reason: string | null = null): OwnerSetting => ({
  state,
  reason,
  by: 'ada',
  since: '2026-05-04T12:00:00.000Z',
})
const unreadable = {
  state: 'unreadable',
  reason: 'it is not a JSON object',
  isDamaged: true,
} as const

describe('what a node is to be, by its owner and by the server', () => {
  // By what the server wants: debug, safe, production, failure. Written by hand: the further of the two from production.
  const table = {
    production: ['debug', 'safe', 'production', 'failure'],
    safe: ['debug', 'safe', 'safe', 'failure'],
    failure: ['failure', 'failure', 'failure', 'failure'],
  } as const
  it.each(ownerStates)('owner: %s', (state) => {
    const states = nodeSetStates.map(
      (wanted) => holdByOwner(aTarget([], { set_state: wanted }), set(state)).node.set_state,
    )
    expect(states).toEqual(table[state])
  })

  it('is what the server wants when the owner has set nothing', () => {
    const target = aTarget()
    expect(holdByOwner(target, null)).toBe(target)
    expect(describeOwner(null)).toBeNull()
    expect(describeOwner(set('production', 'done'))).toBeNull()
  })

  it('is safe when the setting cannot be read: that stops everything and loses nothing', () => {
    expect(holdByOwner(aTarget(), unreadable).node.set_state).toBe('safe')
    expect(describeOwner(unreadable)?.message).toContain('it is not a JSON object')
  })
})

it('stops slivers and keeps them when its owner holds the node in safe, and removes them in failure', () => {
  const current = aCurrent([aStatus()])
  const kinds = (state: OwnerSetting['state']) =>
    planFor(holdByOwner(aTarget(), set(state)), current).map(({ kind }) => kind)
  expect(ownerStates.map(kinds)).toEqual([[], ['stop'], ['remove']])
})

it('is reported with who, since when, why, and how it ends', () => {
  expect(describeOwner(set('safe', 'moving house'))).toEqual({
    member: '/set_state',
    message:
      'the owner holds the node in safe (ada, on the device, since 2026-05-04T12:00:00.000Z): moving house. ' +
      'This ends with `community-lab-agent owner production` on the device',
  })
})
