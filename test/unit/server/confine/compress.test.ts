import { expect, it } from 'vitest'
import { acceptsGzip } from '../../../../server/src/confine/compress.ts'

it.each([
  ['gzip', true],
  ['deflate, GZIP;q=0.5', true],
  ['x-gzip', true],
  ['gzip;q=0', false],
  ['br, gzip; q=0.000', false],
  ['*', false],
  ['', false],
  [undefined, false],
])('Accept-Encoding: %s', (header, accepts) => {
  expect(acceptsGzip(header)).toBe(accepts)
})
