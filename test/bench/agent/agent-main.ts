import { join } from 'node:path'
import process from 'node:process'
import {
  createLineChecks,
  createSliverStreams,
  createUplink,
  openSpool,
} from '../../../agent/src/measurement/measurement.ts'
import { openNodeStream } from '../../../agent/src/server/stream.ts'
import { rtt, runOf } from './job.ts'

// The measuring part of a node's agent, with some slivers, in a process of its own: it starts the catcher, and sends to a server over TLS.

const [dir = '', slivers = '', url = '', certificateSha256 = ''] = process.argv.slice(2)
const ending = new AbortController()
const { signal } = ending
const spool = await openSpool(join(dir, 'spool'))
const checks = createLineChecks()
const streams = createSliverStreams({ spool, dir: join(dir, 'catchers'), checks })
for (let of = 1; of <= Number(slivers); of++) {
  const source = `${of}@1`
  checks.declare({ id: runOf(of), sliver: source, points: [rtt] })
  await streams.ensure(source, join(dir, 'measure', String(of)))
}
const uplink = createUplink({
  spool,
  softVersion: 'bench',
  openStream: (aborted) =>
    openNodeStream({ url, certificateSha256, token: 'node1', nodeId: 1, signal: aborted }),
  onChanged: () => undefined,
  signal,
})
process.on('disconnect', () => {
  void (async () => {
    for (let of = 1; of <= Number(slivers); of++) await streams.remove(`${of}@1`)
    await uplink.close()
    await streams.stop()
    await spool.close()
    process.exit(0)
  })()
})
process.send?.('ready')
