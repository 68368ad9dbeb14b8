import { mkdir, rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { CellSession } from '../../../support/cell-session.ts'

it('a cell whose process cannot be started ends with the reason, and a later one runs', async () => {
  await using session = await CellSession.start()
  await session.print('let n = 1')
  await rm(session.folder, { recursive: true })
  expect((await session.run('process.exit(1)')).error).toContain('(exit code 1)')
  for (const cell of ['2', '3'])
    expect((await session.run(cell)).error).toMatch(
      /^ProcessExit: the process that runs cells has ended \(spawn \S+ ENOENT\); all variables are lost/u,
    )
  await mkdir(session.folder)
  await expect.poll(async () => (await session.run('4')).result).toBe('4')
})
