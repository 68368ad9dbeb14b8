import { routes } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { checkAccept } from '../../../../server/src/confine/media-type.ts'

const profile = 'profile="http://confine-project.eu/schema/registry/v1/node"'

it.each([
  undefined,
  '',
  ',, ,',
  ','.repeat(16_000),
  '*/*',
  `text/plain, application/json; ${profile}`,
  'text/plain; a="b, c", application/json',
])('a client that accepts %j gets a node', (accept) => {
  expect(() => checkAccept(accept, routes.node)).not.toThrow()
})

it.each([
  'text/plain',
  'text/plain; a="b, application/json"',
  'text/plain; a="b, application/json',
  ',"'.repeat(8_000),
  'application/json; profile="http://confine-project.eu/schema/registry/v1/slice"',
])('a client that accepts %j gets none', (accept) => {
  expect(() => checkAccept(accept, routes.node)).toThrow(
    expect.objectContaining({ code: 'LAB_REQUEST_NOT_ACCEPTABLE' }),
  )
})
