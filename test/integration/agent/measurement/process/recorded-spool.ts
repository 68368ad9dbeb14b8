/**
 * Fills a spool of small segments and lets go of what a server has committed, while `record-steps.ts` records what it does with its files. Its events tell what a power
 * cut must not take: samples that were synced, and what the server has.
 */
import { openSync, writeSync } from 'node:fs'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'
import { randomOf } from '../../../../support/power/content.ts'
import { sampleOf } from '../world.ts'

const [dir = '', seed = '1'] = process.argv.slice(2)
const random = randomOf(Number(seed))
const upTo = (most: number): number => 1 + Math.floor(random() * most)
const record = openSync(process.env['POWER_LOG'] ?? '', 'a')
function tell(event: object): void {
  writeSync(record, `${JSON.stringify({ do: 'event', event })}\n`)
}

const spool = await openSpool(dir, { maxBytes: 8 * 1024, syncGapMs: 1 })
let value = 0

function append(count: number): void {
  const samples = Array.from({ length: count }, (_, at) => sampleOf(value + 1 + at))
  const values = samples.map((_, at) => value + 1 + at)
  tell({ begun: values })
  // A full spool counts them.
  const isTaken = spool.append(samples, { marks: { position: value + count } })
  tell({ appended: values, isTaken })
  value += count
}

async function sync(): Promise<void> {
  const upTo = value
  await spool.sync()
  tell({ safe: upTo })
}

/** Commit what a server would have got, and let go of it. */
function commit(): void {
  const rows = spool.read(spool.firstSeq, upTo(60))
  tell({ spool: spool.id, committed: rows })
  spool.trim(rows.at(-1)?.seq ?? 0)
}

for (let round = 0; round < 30; round++) {
  append(upTo(8))
  if (random() < 0.2) append(40)
  if (random() < 0.3) spool.append([], { marks: { other: round } })
  if (random() < 0.5) await sync()
  if (random() < 0.3) commit()
}
await sync()
while (spool.firstSeq <= spool.lastSeq) commit()
append(3)
spool.renew()
append(2)
await sync()
await spool.close()
