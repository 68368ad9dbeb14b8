import { LabError, readAnswer, refusalOf, toProblem } from '@community-lab/contract'
import Type from 'typebox'
import { expect, it } from 'vitest'

const url = 'http://testbed/api/nodes/'
const Names = Type.Array(Type.Object({ name: Type.String({ maxLength: 3 }) }))
const read = (status: number, body: string) => {
  try {
    return readAnswer(Names, { url, status, body })
  } catch (error) {
    if (LabError.is(error)) return `${error.code}: ${error.message}`
    throw error
  }
}

it('reads what a newer server says, and names what is missing', () => {
  expect(read(200, '[{"name":"longer","more":1}]')).toEqual([{ name: 'longer', more: 1 }])
  expect(read(200, '[{}]')).toMatch(/^LAB_RESPONSE_INVALID: .*nodes\/ cannot be used: .*name/u)
  expect(read(200, '<html>')).toMatch(/^LAB_RESPONSE_INVALID: .*it is not JSON/u)
})

it('makes the error again that the server made', () => {
  const error = new LabError('LAB_NOT_FOUND', { kind: 'node', id: '9' })
  expect(refusalOf({ url, status: 404, body: JSON.stringify(toProblem(error)) })).toEqual(error)
})

it('tells the status of an answer that comes from something in between', () => {
  expect(read(302, '')).toMatch(/^LAB_RESPONSE_INVALID: .*status 302 without an explanation/u)
  expect(read(404, '<html>')).toMatch(/^LAB_RESPONSE_INVALID: .*status 404 without/u)
  expect(read(502, '{"error":"bad gateway"}')).toMatch(/^LAB_SERVER_UNAVAILABLE: .*status 502/u)
})
