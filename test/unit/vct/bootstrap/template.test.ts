import { expect, test } from 'vitest'
import { localArch } from '../../../../server/vct/src/bootstrap/template.ts'

test('architectures of Node.js are named as nodes name theirs', () => {
  expect(['x64', 'arm64', 'ia32'].map(localArch)).toEqual(['x86_64', 'aarch64', 'i686'])
})
