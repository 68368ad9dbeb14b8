import process from 'node:process'
import { join } from 'node:path'
import { count, point, seconds } from '@community-lab/contract'
import {
  createLineChecks,
  createSliverStreams,
  createUplink,
  openSpool,
} from '../../../agent/src/measurement/measurement.ts'
import { openNodeStream } from '../node-stream.ts'

// The measuring parts of the agents of some nodes, each with one sliver of slice 3: catcher, spool and stream, in a process of their own.

const [dir = '', port = '', nodes = ''] = process.argv.slice(2)
const ending = new AbortController()
const { signal } = ending

async function startNode(id: number) {
  const own = join(dir, `node-${id}`)
  const source = `3@${id}`
  const spool = await openSpool(join(own, 'spool'))
  const checks = createLineChecks()
  const ticks = point('ticks', { sent_s: seconds('when it was written'), nr: count() })
  checks.declare({ id: 'bench', sliver: source, points: [ticks] })
  const streams = createSliverStreams({ spool, dir: join(own, 'catchers'), checks })
  await streams.ensure(source, join(own, 'measure'))
  const uplink = createUplink({
    spool,
    softVersion: 'bench',
    openStream: (aborted) => openNodeStream(port, id, aborted),
    onChanged: () => undefined,
    signal,
  })
  return async () => {
    await streams.remove(source)
    await uplink.close()
    await streams.stop()
    await spool.close()
  }
}

const ends = await Promise.all(
  Array.from({ length: Number(nodes) }, (_, index) => startNode(index + 1)),
)
process.on('disconnect', () => {
  void Promise.all(ends.map((end) => end())).finally(() => {
    ending.abort()
    process.exit(0)
  })
})
process.send?.('ready')
