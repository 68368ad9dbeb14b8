import { expect, it } from 'vitest'
import { formatMiB, sizeMiB } from '../../../server/cli/src/output/size.ts'

it('reads sizes with their binary unit', () => {
  expect(['512MiB', '2GiB', '1.5 GiB', '1tib', '0MiB'].map(sizeMiB)).toEqual([
    512,
    2048,
    1536,
    1024 * 1024,
    0,
  ])
})

it.each(['512', '512MB', '0.1MiB', '-1MiB', '', '9999999TiB'])('refuses the size %j', (text) => {
  expect(() => sizeMiB(text)).toThrow('such as 512MiB')
})

it('shows sizes in the largest unit that keeps them whole', () => {
  expect([0, 512, 1024, 1536, 1024 * 1024].map(formatMiB)).toEqual([
    '0 MiB',
    '512 MiB',
    '1 GiB',
    '1536 MiB',
    '1 TiB',
  ])
})
