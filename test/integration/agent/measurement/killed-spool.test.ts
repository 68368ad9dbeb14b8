import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { makeKillable } from '../../../support/kill/killable.ts'
import { createFolder, readAll } from './world.ts'

it('has all samples up to the one that its mark names, when the agent is killed before any one of its steps', async () => {
  await using folder = await createFolder()
  const dir = join(folder.path, 'spool')
  const program = join(import.meta.dirname, 'process/spooling-agent.ts')
  const agent = await makeKillable(folder.path, program)
  let marked = 0
  let step = 0
  for (let end = 'killed'; end === 'killed';) {
    end = await agent.start(++step, dir).ended
    const problems: unknown[] = []
    const onProblem = (error: unknown): void => void problems.push(error)
    const spool = await openSpool(dir, { maxBytes: 8 * 1024, onProblem })
    const now = Number(spool.mark('value') ?? 0)
    const records = readAll(spool)
    // Kills before it lets go of any may have filled it: that was told.
    const counted = records.filter(({ name }) => name === 'count')
    const values = counted.map(({ fields }) => fields['value'])
    const expected = values.map((_, at) => now - values.length + 1 + at)
    expect([step, problems, values, records.at(-1)?.seq ?? spool.lastSeq]).toEqual([
      step,
      [],
      expected,
      spool.lastSeq,
    ])
    expect(now).toBeGreaterThanOrEqual(marked)
    marked = now
    await spool.close()
  }
  expect(step).toBeGreaterThan(40)
})
