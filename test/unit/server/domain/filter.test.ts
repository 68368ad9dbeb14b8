import { Node, Sliver, Template } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { readFilters, writeOutFilters } from '../../../../server/src/domain/filter.ts'

describe('a query of CONFINE’s clients is written in full', () => {
  it.each([
    [Node, { name: '"n1"' }, { '/name': '"n1"' }],
    [Node, { 'group/id': '3', per_page: '2' }, { '/group/id': '3', per_page: '2' }],
    [Node, { 'island/id': '3' }, { '/island/id': '3' }],
    [Sliver, { '/interfaces/type': '"public6"' }, { '/interfaces/_/type': '"public6"' }],
    [Sliver, { '/interfaces/_/type': '"public6"' }, { '/interfaces/_/type': '"public6"' }],
    [Template, { node_archs: '"x86_64"' }, { '/node_archs/_': '"x86_64"' }],
    [
      Template,
      { is_active: '1', '/is_public': '0' },
      { '/is_active': 'true', '/is_public': 'false' },
    ],
    [Node, { '/id': ['1', '2'] }, { '/id': '2' }],
    [Node, { '/nope/deep': '1' }, { '/nope/deep': '1' }],
    [Node, { room: '{}' }, { room: '{}' }],
  ])('%#: %j', (schema, query, full) => {
    expect(writeOutFilters(query, schema, ['room'])).toEqual(full)
  })
})

describe('a filter that is not known', () => {
  it.each([
    ['/nope', '1', 'member'],
    ['nope', '1', 'member'],
    ['/name', 'abc', 'value'],
    ['/name', '', 'value'],
    ['/id', '"abc"', 'type'],
    ['/id', '1.5', 'type'],
  ] as const)('is refused with what is not: %s=%s', (name, value, unknown) => {
    const words = { member: /is not known here/u, value: /cannot be read/u, type: /another type/u }
    expect(() => readFilters({ [name]: value }, Node)).toThrow(
      expect.objectContaining({
        code: 'LAB_REQUEST_UNKNOWN_FILTER',
        details: expect.objectContaining({ unknown }) as object,
        message: expect.stringMatching(words[unknown]) as string,
      }),
    )
  })
})
