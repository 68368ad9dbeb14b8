import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { makeKillable } from '../../../support/kill/killable.ts'
import { createFolder, readSynced } from './world.ts'

const stepping = join(import.meta.dirname, 'process/stepping-agent.ts')
const [kept, removed] = ['1@1', '2@1']

it('counts each line once when the agent is killed before any one of its steps', async () => {
  await using folder = await createFolder()
  const { path } = folder
  const program = await makeKillable(path, stepping)
  const values: number[] = []
  /** The FIFOs as the slivers' programs have them open. */
  const fifos = new Map<string, FileHandle>()
  /** Write two lines into each FIFO that is open. */
  async function write(): Promise<void> {
    for (const fifo of fifos.values())
      for (let line = 0; line < 2; line++) {
        values.push(values.length + 1)
        await fifo.write(`count value=${values.length}\n`)
      }
  }

  let step = 0
  for (let end = 'killed'; end === 'killed';) {
    step++
    await write()
    const agent = program.start(step, path)
    const isReady = await Promise.race([
      once(agent.stdout, 'data').then(() => true),
      agent.ended.then(() => false),
    ])
    if (isReady) {
      for (const id of [kept, removed])
        if (!fifos.has(id))
          fifos.set(id, await open(join(path, 'measure', id, 'measure'), constants.O_RDWR))
      await write()
    }
    agent.stdin.end()
    end = await agent.ended
    // Its sliver is gone, or is about to be: whoever wrote has ended.
    if (isReady) {
      await fifos.get(removed)?.close()
      fifos.delete(removed)
    }
  }
  const spool = await openSpool(join(path, 'spool'))
  const streams = createSliverStreams({ spool, dir: join(path, 'catchers') })
  for (const id of [kept, removed]) {
    await streams.ensure(id, join(path, 'measure', id))
    await streams.remove(id)
  }
  await fifos.get(kept)?.close()
  const records = await readSynced(spool)
  expect(records.map(({ fields }) => Number(fields['value'])).sort((a, b) => a - b)).toEqual(values)
  expect(step).toBeGreaterThan(30)
  await streams.stop()
  await spool.close()
})
