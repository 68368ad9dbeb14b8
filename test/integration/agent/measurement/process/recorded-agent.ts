/**
 * The part of an agent that takes in lines of two slivers, one of which comes and goes, while `record-steps.ts` and `RecordSteps.pm` record what it and its catcher do with their
 * files. It writes the lines itself. Its events tell what a power cut must not take: samples that were synced, and what the server has.
 */
import { constants, openSync, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { createSliverStreams } from '../../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'
import { randomOf } from '../../../../support/power/content.ts'

const [root = '', seed = '1'] = process.argv.slice(2)
const random = randomOf(Number(seed))
const upTo = (most: number): number => 1 + Math.floor(random() * most)
const record = openSync(process.env['POWER_LOG'] ?? '', 'a')
function tell(event: object): void {
  writeSync(record, `${JSON.stringify({ do: 'event', event })}\n`)
}

const spool = await openSpool(join(root, 'spool'), { maxBytes: 512 * 1024, syncGapMs: 1 })
const dir = join(root, 'catchers')
const streams = createSliverStreams({ spool, dir, maxBytesPerSliver: 16 * 1024 })
let value = 0

async function write(fifo: FileHandle, count: number): Promise<void> {
  for (let more = 0; more < count; more++) {
    tell({ begun: [++value] })
    // What is torn anywhere in it has another sum.
    await fifo.write(`count value=${value} padding="${'x'.repeat(upTo(60))}" sum=${value * 7}\n`)
  }
}

/** Wait until the spool has all that was written, and tell that it is safe. */
async function sync(): Promise<void> {
  while (spool.lastSeq < value)
    await new Promise<void>((resolve) => {
      const unsubscribe = spool.onAppend(() => {
        unsubscribe()
        resolve()
      })
    })
  await spool.sync()
  tell({ safe: value })
}

function commit(): void {
  const rows = spool.read(spool.firstSeq, upTo(60))
  tell({ spool: spool.id, committed: rows })
  spool.trim(rows.at(-1)?.seq ?? 0)
}

async function ensure(sliver: string): Promise<FileHandle> {
  const measure = join(root, 'measure', sliver)
  await streams.ensure(sliver, measure)
  return open(join(measure, 'measure'), constants.O_RDWR)
}

const stays = await ensure('1@1')
for (let round = 0; round < 4; round++) {
  const goes = await ensure('2@1')
  for (let part = 0; part < 4; part++) {
    await write(stays, upTo(30))
    await write(goes, upTo(30))
    if (random() < 0.5) await sync()
    if (random() < 0.5) commit()
  }
  await streams.remove('2@1')
  await goes.close()
}
await sync()
await stays.close()
await streams.remove('1@1')
await streams.stop()
await spool.close()
