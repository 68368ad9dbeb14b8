import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { createUplink, openSpool } from '../../../agent/src/measurement/measurement.ts'
import { openNodeStream } from '../node-stream.ts'

// The spools and streams of some nodes. Each gets a sample for each second of a day that is over, at a raised speed.

const [dir = '', port = '', nodes = '', speed = '', startMs = ''] = process.argv.slice(2)
const daySeconds = 86_400
const ending = new AbortController()
const { signal } = ending

async function startNode(id: number) {
  const spool = await openSpool(join(dir, `node-${id}`))
  const uplink = createUplink({
    spool,
    softVersion: 'bench',
    openStream: (aborted) => openNodeStream(port, id, aborted),
    onChanged: () => undefined,
    signal,
  })
  return { id, spool, uplink }
}

const all = await Promise.all(
  Array.from({ length: Number(nodes) }, (_, index) => startNode(index + 1)),
)
process.on('disconnect', () => process.exit(0))
const began = performance.now()
for (let second = 0; second < daySeconds;) {
  const due = Math.min(daySeconds, ((performance.now() - began) / 1000) * Number(speed))
  for (; second < due; second++)
    for (const { id, spool } of all) {
      const fields = {
        rtt_s: Math.round(1e6 * (0.01 + 0.005 * Math.sin(second / 100 + id))) / 1e6,
        ...{ nr: second, lost: second % 97 === 0, peer: `n${1 + ((id + second) % 10)}` },
      }
      const sample = { time_us: (Number(startMs) + second * 1000) * 1000, source: `3@${id}` }
      // The server is slower than the day now: the node waits, as a program does whose FIFO is full.
      while (!spool.append([{ ...sample, name: 'probe', fields }], { whenFull: 'refuse' }))
        await delay(50)
    }
  await delay(20)
}
for (const { spool } of all)
  while (spool.firstSeq <= spool.lastSeq)
    await new Promise<void>((resolve) => {
      const unsubscribe = spool.onTrim(() => {
        unsubscribe()
        resolve()
      })
    })
process.send?.('done')
