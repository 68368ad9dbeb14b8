import { expect, test } from 'vitest'
import { largestRange } from '../../../../server/vct/src/pod/host.ts'

const subuid = `# comment
ada:100000:65536
1000:300000:1000
bob:500000:100
ada:700000:10
bad:x:y`

test('the largest range of a user counts, whether it is named or numbered', () => {
  expect(largestRange(subuid, 'ada', 42)).toBe(65_536)
  expect(largestRange(subuid, 'nobody', 1000)).toBe(1000)
})

test('a user without a range, or with a damaged one, has none', () => {
  expect(largestRange(subuid, 'eve', 43)).toBe(0)
  expect(largestRange(subuid, 'bad', 44)).toBe(0)
  expect(largestRange('', 'ada', 42)).toBe(0)
})
