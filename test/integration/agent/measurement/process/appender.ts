/** Appends samples numbered from where the spool ended, and tells each seq once the spool has it; killed from outside. */
import { writeSync } from 'node:fs'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'

const spool = await openSpool(process.argv[2] ?? '', { maxBytes: 64 * 1024 * 1024 })
for (;;) {
  for (let group = 0; group < 20; group++) {
    const value = spool.lastSeq + 1
    const sample = { time_us: Date.now() * 1000, source: 'node', name: 'count', fields: { value } }
    const samples = Array.from({ length: 1 + (value % 5) }, (_, at) => ({
      ...sample,
      fields: { value: value + at },
    }))
    spool.append(samples, { marks: { position: value + samples.length - 1 } })
    writeSync(1, `${String(spool.lastSeq)}\n`)
  }
  await new Promise((resolve) => setImmediate(resolve))
}
