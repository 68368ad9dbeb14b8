import { formatIpv6, parseIpv6, toGroups } from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

describe('an IPv6 address', () => {
  // RFC 5952 sections 1, 2 and 4: every spelling there, and its one canonical form.
  test.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:AAAA', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
  ])('%s is written %s', (text, canonical) => {
    expect(formatIpv6(parseIpv6(text))).toBe(canonical)
  })

  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    ' ::1',
    '::1%lo',
    '::ffff:192.0.2.1',
    'fd77::1/64',
  ])('%j is none', (text) => {
    expect(() => parseIpv6(text)).toThrow(RangeError)
  })

  test('written and read again is the same eight groups', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (list) => {
        expect(parseIpv6(formatIpv6(toGroups(list)))).toEqual(list)
      }),
    )
  })

  test.each([[[]], [[1, 2, 3]], [[0, 0, 0, 0, 0, 0, 0, 0x10000]], [[0, 0, 0, 0, 0, 0, 0, -1]]])(
    'is not made of the groups %j',
    (groups: number[]) => {
      expect(() => toGroups(groups)).toThrow(RangeError)
    },
  )
})
