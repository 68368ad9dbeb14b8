/** Appends samples to a spool of small segments, lets go of what the server would have acknowledged, and begins the spool again. It is killed on its way. */
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'
import { sampleOf } from '../world.ts'

const spool = await openSpool(process.argv[2] ?? '', { maxBytes: 8 * 1024 })
function append(count: number): void {
  for (let more = 0; more < count; more++) {
    const value = Number(spool.mark('value') ?? 0) + 1
    if (!spool.append([sampleOf(value)], { marks: { value } })) return
  }
}
append(14)
await spool.sync()
spool.trim(spool.lastSeq - 3)
append(8)
spool.renew()
append(3)
await spool.sync()
spool.trim(spool.lastSeq - 2)
await spool.close()
