import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { stopLeftovers } from '@community-lab/contract/host'
import { runCommand } from '../../../agent/src/sliver/host/command.ts'

it('is not held up by a process whose command line cannot be read', async () => {
  const proc = await mkdtemp(join(tmpdir(), 'proc-'))
  await mkdir(join(proc, '7'))
  await writeFile(join(proc, '7', 'comm'), 'stuck\n')
  // Nobody ever writes to it, so that reading it does not end.
  await runCommand(['mkfifo', join(proc, '7', 'cmdline')])
  expect(await stopLeftovers('/nowhere', proc)).toEqual([])
  await rm(proc, { recursive: true })
})
