import { describeHold } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'

const node = aNode(1, 'n1')

it('says that nothing keeps a node in production from starting slivers', () => {
  expect(describeHold(node)).toBeNull()
})

it('says what the node reports', () => {
  const errors = [{ member: '/set_state', message: 'the owner holds the node in safe' }]
  expect(describeHold({ ...node, state: 'safe', errors })).toEqual({
    name: 'n1',
    state: 'safe',
    reason: 'the owner holds the node in safe',
  })
  expect(describeHold({ ...node, state: 'offline' })).toMatchObject({ reason: '' })
})

it('says when a node is lent again', () => {
  const lending = { device: {} as never, time_zone: 'UTC', is_open: false, opens: 'mon 22:00' }
  expect(describeHold({ ...node, lending })).toEqual({
    name: 'n1',
    state: 'not lent at this hour',
    reason: 'again on mon 22:00 (UTC)',
  })
  expect(describeHold({ ...node, lending: { ...lending, opens: null } })).toMatchObject({
    reason: 'its hours never begin',
  })
  expect(describeHold({ ...node, lending: { ...lending, is_open: true } })).toBeNull()
})
