import { rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { afterAll, describe, expect, it } from 'vitest'
import { openCgroups } from '../../../../agent/src/sliver/host/cgroups.ts'

const parent = `cl-test-cgroups-${process.pid}`
const isPossible =
  process.getuid?.() === 0 && (await (await openCgroups(parent)).probe().catch(() => '')) === null

describe.runIf(isPossible)('the limits of a sliver', () => {
  const limits = { memory: 64, disk: 0, cpu: 100, processes: 16 }
  const all = { memory: 512, disk: 0, cpu: 200, processes: 500 }

  afterAll(async () => {
    const cgroups = await openCgroups(parent)
    await cgroups.remove('one')
    for (const folder of Object.values(cgroups.folders('one')))
      await rmdir(dirname(folder)).catch(() => undefined)
  })

  it('are changed without a finding when the owner starts the agent again with less, and with one when somebody else has changed them', async () => {
    const before = await openCgroups(parent)
    await before.limitAll(all)
    await before.create('one', limits)
    const after = await openCgroups(parent)
    await after.limitAll({ ...all, cpu: 50 })
    expect(await after.mend('one', limits)).toEqual([])
    await before.mend('one', limits)
    expect(await after.mend('one', limits)).toEqual([expect.stringMatching(/^cpu\./u)])
    expect(await after.mend('one', { ...limits, processes: 8 })).toEqual([
      expect.stringMatching(/^pids\.max/u),
    ])
  })
})
