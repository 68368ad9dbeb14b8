import { isName, nameMaxLength, nearestName } from '@community-lab/contract'
import { describe, expect, test } from 'vitest'

describe('a name', () => {
  test.each(['a', 'n1', 'hello', 'my-slice_2.0', 'A', '0', 'x'.repeat(nameMaxLength)])(
    '%s is well formed',
    (name) => {
      expect(isName(name)).toBe(true)
    },
  )

  test.each([
    '',
    ' ',
    ' a',
    'a ',
    'a b',
    'a\n',
    'a\nb',
    '-a',
    'a-',
    '.',
    '..',
    '../etc',
    'a/b',
    'ä',
    'a\0',
    'x'.repeat(nameMaxLength + 1),
  ])('%j is not', (name) => {
    expect(isName(name)).toBe(false)
  })
})

describe('the name that was most likely meant', () => {
  const known = ['tiny', 'debian-12', 'n1', 'n2', 'n10']

  test.each([
    ['tinny', 'tiny'],
    ['TINY', 'tiny'],
    ['debian12', 'debian-12'],
    ['n3', 'n1'],
    ['n11', 'n1'],
    ['tnii', null],
    ['itny', 'tiny'],
  ])('for %s is %s', (wrong, meant) => {
    expect(nearestName(wrong, known)).toBe(meant)
  })

  test('is none when nothing is near', () => {
    expect(nearestName('openwrt', known)).toBeNull()
    expect(nearestName('tiny', [])).toBeNull()
  })

  test('is the nearest, not the first', () => {
    expect(nearestName('sensor', ['censored', 'sensors'])).toBe('sensors')
  })
})
