/**
 * The part of an agent that takes in lines. It sees that two slivers are caught, tells `ready`, and removes the second one when its standard input ends. It is killed
 * on its way.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { createSliverStreams } from '../../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'

const dir = process.argv[2] ?? ''
const spool = await openSpool(join(dir, 'spool'))
const streams = createSliverStreams({
  spool,
  dir: join(dir, 'catchers'),
  onProblem: (error) => console.error(error),
})
for (const id of ['1@1', '2@1']) await streams.ensure(id, join(dir, 'measure', id))
console.log('ready')
await once(process.stdin.resume(), 'end')
await streams.remove('2@1')
await streams.stop()
await spool.close()
