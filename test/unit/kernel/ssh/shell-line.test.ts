import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { shellLine } from '../../../../kernel/src/ssh/shell-line.ts'

it.each(['-x', '-c', '+e', '--help'])('is no option of the shell: %s', (command) => {
  const { status, stderr } = spawnSync('sh', ['-c', shellLine(`${command} 2>&1; exit 3`)], {
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 3, stderr: '' })
})
