import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSliverStreams } from '../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../agent/src/measurement/spool/file-spool.ts'
import { sliverRecordFormat } from '../../../agent/src/sliver/store/record.ts'
import { openRecords } from '../../../agent/src/sliver/store/records.ts'
import { readSynced } from './measurement/world.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/agent-folder')
const older = ['a-catcher-for-each-sliver', 'one-catcher']

/** The folders of older agents are in README.md beside them. */
describe.each(older)('the data folder of an older agent: %s', (name) => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'upgrade-'))
    await cp(join(fixtures, name), dir, { recursive: true })
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const asideIn = async (): Promise<readonly string[]> =>
    (await readdir(dir, { recursive: true })).filter((path) => path.includes('unreadable'))

  it('has its slivers, as they were', async () => {
    const records = await openRecords(join(dir, 'slivers'))
    expect(records.all()).toMatchObject([
      { id: '1@3', nr: 1, stage: 'started', process: { pid: expect.any(Number) as number } },
      { id: '2@3', nr: 2, stage: 'deployed', process: null },
    ])
    expect([records.unreadable.size, await asideIn()]).toEqual([0, []])
    for (const record of records.all()) await records.save(record)
    // What this agent writes is of its own version.
    const { version } = sliverRecordFormat
    const asWritten = records.all().map((record) => ({ ...record, version }))
    expect((await openRecords(join(dir, 'slivers'))).all()).toMatchObject(asWritten)
  })

  it('has each sample once, also those that were caught and not read', async () => {
    const problems: unknown[] = []
    const onProblem = (error: unknown): void => void problems.push(error)
    const spool = await openSpool(join(dir, 'spool'), { onProblem })
    const streams = createSliverStreams({ spool, dir: join(dir, 'catchers'), onProblem })
    for (const id of ['1@3', '2@3']) await streams.remove(id)
    const records = await readSynced(spool)
    expect(records.map(({ seq, source, name: of, fields }) => [seq, source, of, fields])).toEqual([
      ...[1, 2, 3, 4, 5].map((value) => [value, '1@3', 'count', { value }]),
      [6, '1@3', 'rejected', expect.objectContaining({ lines: 1 }) as object],
    ])
    expect([problems, await asideIn()]).toEqual([[], []])
    await streams.stop()
    await spool.close()
  })
})
