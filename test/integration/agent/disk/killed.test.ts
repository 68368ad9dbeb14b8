import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openLoopStore } from '../../../../agent/src/loop/store.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import { openRecords } from '../../../../agent/src/sliver/store/records.ts'
import { makeKillable } from '../../../support/kill/killable.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'killed-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** What the next agent finds: the serials of the sliver, of what is wanted and of the boot, undefined where there is none, and all that it cannot read. */
async function found(data: string) {
  const problems = createNodeProblems()
  const records = await openRecords(join(data, 'slivers'))
  const store = await openLoopStore(data, problems)
  const [target, boot] = [await store.loadTarget(), await store.loadBoot()]
  const serials = [records.get('1@1')?.instanceSn, target?.wanted.node.boot_sn, boot?.bootSn]
  return { serials, unreadable: [...records.unreadable.keys(), ...problems.list()] }
}

it('finds each document as it was before or after, when the agent is killed before any one of its steps', async () => {
  const program = join(import.meta.dirname, 'process/keeping-agent.ts')
  const agent = await makeKillable(dir, program)
  const data = join(dir, 'data')
  let before = (await found(data)).serials
  let step = 0
  for (let end = 'killed'; end === 'killed';) {
    step++
    end = await agent.start(step, data, String(step)).ended
    const { serials, unreadable } = await found(data)
    expect(unreadable).toEqual([])
    // One after the other became new: what is old is as it was.
    const firstOld = serials.findIndex((serial) => serial !== step)
    const olds = firstOld < 0 ? [] : serials.slice(firstOld)
    expect(olds).toEqual(before.slice(serials.length - olds.length))
    before = serials
  }
  expect(before).toEqual([step, step, step])
  expect(step).toBeGreaterThan(20)
})
