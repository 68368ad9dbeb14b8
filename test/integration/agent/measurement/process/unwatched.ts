/** The part of an agent that takes in lines, in a user namespace that has no inotify left. Tells whether a folder can be watched, and the values that came. */
import { watch } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSliverStreams } from '../../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../../agent/src/measurement/spool/file-spool.ts'
import { waitForRecords } from '../world.ts'

const [dir = '', setting = ''] = process.argv.slice(2)
await writeFile(join('/proc/sys/user', setting), '0')
let refused = 'nothing'
try {
  watch(dir).close()
} catch (error) {
  refused = error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
const spool = await openSpool(join(dir, 'spool'))
const streams = createSliverStreams({ spool, dir: join(dir, 'catchers') })
await streams.ensure('1@1', join(dir, 'measure'))
await writeFile(join(dir, 'measure/measure'), 'count value=1\n')
await waitForRecords(spool, 1)
// Nobody reads any more until the folder is looked at again.
await writeFile(join(dir, 'measure/measure'), 'count value=2\n')
const records = await waitForRecords(spool, 2)
await streams.remove('1@1')
await streams.stop()
await spool.close()
console.log(JSON.stringify({ refused, values: records.map(({ fields }) => fields['value']) }))
