import { archOf } from '@community-lab/contract'
import { expect, it } from 'vitest'

it.each([
  ['x64', 'x86_64', 'x86_64'],
  ['arm64', 'aarch64', 'aarch64'],
  ['ia32', 'x86_64', 'i686'],
  ['arm', 'armv7l', 'armv7l'],
  ['arm', 'armv6l', 'armv6l'],
  ['arm', 'aarch64', 'armv7l'],
  ['riscv64', 'riscv64', 'riscv64'],
  ['ppc64', 'ppc64le', 'ppc64le'],
  ['s390x', 's390x', 's390x'],
  ['loong64', 'loongarch64', 'loongarch64'],
])('a processor that Node.js calls %s on a machine that is %s is %s', (name, machine, arch) => {
  expect(archOf(name, machine)).toBe(arch)
})

it('one that is not known is not taken for another', () => {
  expect(() => archOf('vax', 'vax')).toThrow('no node has one')
})
