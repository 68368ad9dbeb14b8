/** The part of an agent that takes in lines: spool and catchers, until it is killed. Tells `ready` once the sliver's lines are caught. */
import { join } from 'node:path'
import { createSliverStreams } from '../../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'

const dir = process.argv[2] ?? ''
const spool = await openSpool(join(dir, 'spool'))
const catchers = createSliverStreams({
  spool,
  dir: join(dir, 'catchers'),
  onProblem: (error) => console.error(error),
})
await catchers.ensure('slice@n1', join(dir, 'measure'))
console.log('ready')
