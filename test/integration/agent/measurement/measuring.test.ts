import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { measureFolder, openMeasuring } from '../../../../agent/src/measurement/measuring.ts'
import { createNodeProblems } from '../../../../agent/src/report/problems.ts'
import type { SliverStatus } from '../../../../agent/src/plan/observed.ts'
import { catcherPid, createFolder, readSynced, waitForRecords } from './world.ts'

const log = pino({ level: 'silent' })

/** The slivers of a node, as far as they are looked at: some that run. */
function running(...ids: readonly string[]) {
  return {
    list: () => Promise.resolve(ids.map((id) => ({ id, stage: 'started' }) as SliverStatus)),
    unreadable: () => Promise.resolve([]),
  }
}

it('catches what the slivers write that it finds running, finishes what is left of others, and tells of one that it cannot catch', async () => {
  await using folder = await createFolder()
  const dataDir = folder.path
  const measure = (id: string): string => measureFolder(dataDir, id)
  const first = await openMeasuring(dataDir, { log, problems: createNodeProblems() })
  for (const id of ['1@1', '2@1']) await first.prepare(id, measure(id))
  await first.stop()
  for (const id of ['1@1', '2@1']) await writeFile(join(measure(id), 'measure'), 'count value=1\n')
  await first.spool.close()
  await rm(measure('3@1'), { recursive: true, force: true })
  await writeFile(measure('3@1'), '')

  const problems = createNodeProblems()
  const measuring = await openMeasuring(dataDir, { log, problems })
  const ending = new AbortController()
  const told = new Promise<void>((resolve) => problems.onChange(() => resolve()))
  const kept = measuring.keep(running('1@1', '3@1'), ending.signal)
  await told
  const records = await waitForRecords(measuring.spool, 2)
  expect(records.map(({ source }) => source).sort()).toEqual(['1@1', '2@1'])
  expect(problems.list()).toMatchObject([
    { member: '/slivers', message: expect.stringContaining('sliver 3@1') as string },
  ])
  await writeFile(join(measure('1@1'), 'measure'), 'count value=2\n')
  await waitForRecords(measuring.spool, 3)
  ending.abort()
  await kept
  await measuring.stop()
  await readSynced(measuring.spool)
  await measuring.spool.close()
})

it('lets go when the agent is to end, though the catcher does not answer, and the next one finishes what was to end', async () => {
  await using folder = await createFolder()
  const dataDir = folder.path
  const problems = createNodeProblems()
  const measuring = await openMeasuring(dataDir, { log, problems })
  const ending = new AbortController()
  await measuring.prepare('1@1', measureFolder(dataDir, '1@1'))
  await writeFile(join(measureFolder(dataDir, '1@1'), 'measure'), 'count value=1\n')
  await waitForRecords(measuring.spool, 1)
  const catcher = catcherPid(join(dataDir, 'catchers')) ?? 0
  process.kill(catcher, 'SIGSTOP')
  const kept = measuring.keep(running('1@1', '2@1'), ending.signal)
  const given = expect(measuring.end('1@1')).rejects.toThrow()
  await delay(100)
  ending.abort()
  await Promise.all([kept, given])
  expect(problems.list()).toEqual([])
  await measuring.stop()
  await measuring.spool.close()

  process.kill(catcher, 'SIGCONT')
  const next = await openMeasuring(dataDir, { log, problems })
  await next.end('1@1')
  expect(await readSynced(next.spool)).toHaveLength(1)
  await next.stop()
  await next.spool.close()
})
